/** The tree of a repository without a kernel: for tests of what paths mean. */

import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ObjectRequest } from '../../cache/contract.js';
import { openReader } from '../../cache/reader.js';
import { type Attributes, type Entry, isWaiting, ROOT, type Waiting } from '../../fs/contract.js';
import { readFully } from '../../fs/read-fully.js';
import { OpenedText } from '../../fs/tree/text-files.js';
import { Tree } from '../../fs/tree/tree.js';
import { originOf } from '../../mounts/origins.js';
import type { Catalogue, DataIdValue } from '../../registry/contract.js';
import { buildCatalogue, openCatalogue, openGen3, parseButlerConfiguration } from '../../registry/open.js';
import type { RepositoryNames } from '../../registry/open.js';

export interface TreeOf {
  readonly tree: Tree;
  readonly catalogue: Catalogue;
  /** Follows a path from the root; undefined where a component does not resolve at once. */
  entry(path: string): Entry | undefined;
  /** Follows a path; throws what the tree throws. */
  follow(path: string): Entry;
  names(path: string): string[];
  text(path: string): string;
}

/** Reads the repository in `directory` into `<scratch>/catalogue-<version>.sqlite3`. The caller closes the catalogue. */
export function catalogueOf(directory: string, scratch: string, version = 1, names?: RepositoryNames): Catalogue {
  const configuration = parseButlerConfiguration(readFileSync(join(directory, 'butler.yaml'), 'utf8'), directory);
  const reader = openGen3({ configuration, registryFile: join(directory, configuration.registry), repository: directory });
  const target = join(scratch, `catalogue-${version}.sqlite3`);
  try {
    buildCatalogue({ reader, target, repository: directory, validator: String(version), version, names });
  } finally {
    reader.close();
  }
  return openCatalogue(target)!;
}

/** `.` and `..`, which every directory lists. */
function isOwn(name: string): boolean {
  return name === '.' || name === '..';
}

export function treeOf(
  catalogue: Catalogue,
  scratch: string,
  {
    collections = [],
    calibrations = {},
    defaults = {},
    names = {},
    onExpect = () => undefined,
  }: {
    readonly collections?: readonly string[];
    readonly calibrations?: Readonly<Record<string, readonly string[]>>;
    readonly defaults?: Readonly<Record<string, DataIdValue>>;
    readonly names?: RepositoryNames;
    /** Hears of what the tree would have fetched ahead. */
    readonly onExpect?: (requests: readonly ObjectRequest[]) => void;
  } = {},
): TreeOf {
  const cache = join(scratch, 'cache');
  mkdirSync(cache, { recursive: true });
  const never = <T>(): Waiting<T> => ({ begin: () => undefined, abort: () => undefined });
  const tree = new Tree({
    catalogue,
    content: {
      reader: openReader({ directory: cache, verify: 'fetch' }),
      request: ({ location, member }, identity) => ({
        origin: originOf('https://archive.example/hsc', location),
        identity,
        ...(member === null ? {} : { member }),
      }),
      onHit: () => undefined,
      open: never,
      readPartial: never,
      advance: () => undefined,
      closePartial: () => undefined,
      expect: onExpect,
      size: never,
      status: never,
      read: readFully,
    },
    view: { collections, calibrations, order: [] },
    defaults: new Map(Object.entries(defaults)),
    names,
    owner: { uid: 0, gid: 0 },
  });
  const follow = (path: string): Entry => {
    let entry: Entry = { node: ROOT, attributes: { ...(tree.attributes(ROOT) as Attributes) } };
    for (const name of path.split('/').filter((component) => component !== '')) {
      const next = tree.lookup(entry.node, name);
      if (isWaiting<Entry>(next)) throw new Error(`${name} would wait`);
      // The tree fills one object again and again.
      entry = { node: next.node, attributes: { ...next.attributes } };
    }
    return entry;
  };
  return {
    tree,
    catalogue,
    follow,
    entry: (path) => {
      try {
        return follow(path);
      } catch {
        return undefined;
      }
    },
    names: (path) => {
      const found: string[] = [];
      const { node } = follow(path);
      tree.list(node, { low: 0, high: 0 }, { plus: false, fits: () => true, add: (name) => void (isOwn(name) || found.push(name)) });
      return found;
    },
    text: (path) => {
      const opened = tree.open(follow(path).node, { flags: 0, killSetId: false });
      if (!(opened instanceof OpenedText)) throw new Error(`${path} is no text`);
      return opened.text.toString();
    },
  };
}
