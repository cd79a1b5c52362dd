/** The tree of a repository as it is served: over its catalogue and the objects of the cache, asking for what is not here. */

import type { ObjectRequest } from '../cache/contract.js';
import { openReader } from '../cache/reader.js';
import { ButlerfsError } from '../common/errors.js';
import type { ContentSource } from '../fs/content.js';
import type { Invalidation, Waiting } from '../fs/contract.js';
import { Tree } from '../fs/tree/tree.js';
import { openView } from '../fs/tree/view.js';
import type { Catalogue, DataNeed } from '../registry/contract.js';
import { openCatalogue } from '../registry/sqlite/open.js';
import { originOf } from './origins.js';
import { coveredRequest } from './publication/coverage.js';
import { DigestsFile } from './publication/digests-file.js';
import type { CatalogueFiles, TreeSettings, ViewReady } from './tree-host.js';
import { UnreadTracker } from './unread-tracker.js';

/** What must come from elsewhere, or may have to. */
export interface ContentQuestions extends Omit<ContentSource, 'reader' | 'onHit' | 'request'> {
  /** Waits until what a question needs was read, and the tree was told of the catalogue with it. */
  need(need: DataNeed): Waiting<unknown>;
}

export class ServedTree {
  readonly tree: Tree;
  readonly ready: ViewReady;
  readonly #settings: TreeSettings;
  #catalogue: Catalogue;
  #digests: DigestsFile | undefined;
  #hits = 0;
  readonly #unread: UnreadTracker | undefined;

  /** Throws `cache-failed` where the catalogue cannot be read, `unknown-collection` where the search path does not resolve. */
  constructor(settings: TreeSettings, { need, ...content }: ContentQuestions) {
    this.#settings = settings;
    this.#unread = settings.unread === undefined ? undefined : new UnreadTracker(settings.unread, need);
    this.#catalogue = requireCatalogue(settings.catalogueFile);
    this.#digests = openDigests(settings.digestsFile);
    const view = { collections: settings.collections, calibrations: settings.calibrations ?? {}, order: [] };
    const defaults = new Map(Object.entries(settings.defaults));
    this.tree = new Tree({
      catalogue: this.#catalogue,
      content: this.#content(content),
      view,
      defaults,
      names: { aliases: settings.aliases, flavors: settings.flavors },
      owner: settings.owner,
      unread: this.#unread,
    });
    const { searchPath, defaults: inferred } = openView(this.#catalogue, view, defaults, this.#unread !== undefined);
    this.ready = { searchPath: searchPath.collections.map(({ name }) => name), defaults: Object.fromEntries(inferred) };
  }

  /** Opens that found their object in the cache. */
  get hits(): number {
    return this.#hits;
  }

  /** Goes over to another catalogue file. Returns what the kernel must forget. */
  replaceCatalogue({ catalogueFile, digestsFile, unread }: CatalogueFiles): Invalidation[] {
    const [former, formerDigests] = [this.#catalogue, this.#digests];
    const next = requireCatalogue(catalogueFile);
    this.#digests = openDigests(digestsFile);
    const invalidations = this.tree.replaceCatalogue(next, unread === undefined ? undefined : this.#unread);
    this.#catalogue = next;
    former.close();
    formerDigests?.close();
    return invalidations;
  }

  close(): void {
    this.#catalogue.close();
    this.#digests?.close();
  }

  #content(questions: Omit<ContentQuestions, 'need'>): ContentSource {
    const { cacheDirectory, verify, repositoryUrl } = this.#settings;
    return {
      ...questions,
      reader: openReader({ directory: cacheDirectory, verify }),
      onHit: () => {
        this.#hits++;
      },
      request: ({ location, member, size, checksum }, identity): ObjectRequest => {
        const request: ObjectRequest = {
          origin: originOf(repositoryUrl, location),
          identity,
          ...(member === null ? {} : { member }),
          ...(size === null ? {} : { size }),
          ...(checksum === null ? {} : { digest: { algorithm: 'blake2b512', hex: checksum } }),
        };
        const digests = this.#digests;
        return digests === undefined ? request : coveredRequest(request, () => digests.find(location));
      },
    };
  }
}

function openDigests(file: string | undefined): DigestsFile | undefined {
  return file === undefined ? undefined : new DigestsFile(file);
}

function requireCatalogue(file: string): Catalogue {
  const catalogue = openCatalogue(file);
  if (catalogue !== undefined) return catalogue;
  throw new ButlerfsError('cache-failed', {
    what: `catalogue '${file}'`,
    why: 'it cannot be read',
    advice: 'remove it and mount again: it will be read anew',
  });
}
