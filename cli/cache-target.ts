/** Which cache a `butlerfs cache` command is about, and which objects of it. */

import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Digest } from '../cache/contract.js';
import { formatDigest, parseDigest } from '../cache/digest.js';
import { Layout, prepareLayout } from '../cache/layout.js';
import { isCache } from '../cache/manage.js';
import { PinReader } from '../cache/pins.js';
import { asButlerfsError, ButlerfsError } from '../common/errors.js';
import { loadConfiguration } from '../mounts/configuration.js';
import { openContents } from '../mounts/contents.js';
import { findDirectories } from '../mounts/directories.js';
import { isAlive, readMountStates } from '../mounts/state.js';
import type { MountState } from '../mounts/state.js';
import { findMount } from './find-mount.js';

/** The cache of `--cache`, of the configuration, or of the user. Throws `configuration` where there is none. */
export async function openCacheDirectory(given: string | undefined): Promise<Layout> {
  const directories = findDirectories();
  const configured = given === undefined ? (await loadConfiguration(directories.configurationFiles)).defaults.cache : resolve(given);
  return requireCache(configured ?? directories.cache);
}

function requireCache(directory: string): Layout {
  if (isCache(new Layout(directory))) return prepareLayout(directory);
  throw new ButlerfsError('configuration', {
    what: `no cache in ${directory}`,
    advice: 'a mount makes one; name another with --cache',
  });
}

/** The living mounts that use the cache. */
export async function mountsOn(layout: Layout): Promise<MountState[]> {
  const states = (await readMountStates(findDirectories().mountStates)).filter(isAlive);
  const own = await canonical(layout.directory);
  const used = await Promise.all(states.map(async (state) => (await canonical(cacheOf(state))) === own));
  return states.filter((_, index) => used[index]);
}

/** Catalogues are in `<cache>/sources/<name>`. */
function cacheOf({ catalogueDirectory }: MountState): string {
  return dirname(dirname(catalogueDirectory));
}

async function canonical(directory: string): Promise<string> {
  return await realpath(directory).catch(() => directory);
}

export interface NamedObject {
  readonly digest: Digest;
  /** The path or digest that it was named by. */
  readonly holder: string;
}

/** Objects of one cache that a command named. */
export interface NamedObjects {
  readonly layout: Layout;
  /** Each once for each holder. */
  readonly objects: readonly NamedObject[];
  /** Paths of files whose digest nobody knows yet: none is published, and they were never fetched. */
  readonly unknown: readonly string[];
}

/** The objects that digests, and paths on mounts, name. Digests are of the cache in `given`, or of the default one. */
export async function findObjects(words: readonly string[], given: string | undefined, signal: AbortSignal): Promise<NamedObjects[]> {
  const found = new Map<string, { layout: Layout; objects: Map<string, NamedObject>; unknown: string[] }>();
  const of = (layout: Layout) => {
    const entry = found.get(layout.directory) ?? { layout, objects: new Map<string, NamedObject>(), unknown: [] };
    found.set(layout.directory, entry);
    return entry;
  };
  const add = (objects: Map<string, NamedObject>, digest: Digest, holder: string): void => {
    objects.set(`${formatDigest(digest)} ${holder}`, { digest, holder });
  };
  for (const word of words) {
    if (isDigestText(word)) {
      const digest = parseDigest(word);
      add(of(await openCacheDirectory(given)).objects, digest, formatDigest(digest));
      continue;
    }
    const { state, below } = await findMount(word);
    const contents = await openContents(state, signal);
    try {
      const layout = requireCache(contents.settings.cacheDirectory);
      await refuseOther(layout, given, word);
      const { objects, unknown } = of(layout);
      const pins = new PinReader(layout);
      const holder = `${state.mountPoint}/${below}`;
      for (const { path, request: make } of contents.below(below)) {
        const request = make();
        const digest = request.digest ?? pins.find(request)?.digest;
        if (digest === undefined) unknown.push(`${state.mountPoint}/${path}`);
        else add(objects, digest, holder);
      }
    } catch (error) {
      throw asButlerfsError(error);
    } finally {
      contents.close();
    }
  }
  return [...found.values()].map(({ layout, objects, unknown }) => ({ layout, objects: [...objects.values()], unknown }));
}

function isDigestText(word: string): boolean {
  return /^[a-z0-9]+:[0-9a-f]+$/i.test(word);
}

async function refuseOther(layout: Layout, given: string | undefined, path: string): Promise<void> {
  if (given === undefined || (await canonical(resolve(given))) === (await canonical(layout.directory))) return;
  throw new ButlerfsError('usage', { what: `--cache ${given}`, why: `the mount of ${path} uses ${layout.directory}` });
}
