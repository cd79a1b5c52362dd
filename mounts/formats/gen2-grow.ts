/** A Gen2 repository that is served while it is walked: what is asked for is looked for where its templates say that it is. */

import {
  calibrationDirectories,
  calibrationName,
  compileTemplates,
  fieldsOfVisit,
  gen2Additions,
  Gen2Places,
  rootsAt,
  runName,
} from '../../registry/open.js';
import type { Catalogue, DataNeed } from '../../registry/contract.js';
import type { Camera, Gen2Reading, Gen2Repository, ListedEntry, ListingStore, TemplatePlace, TemplateRoot } from '../../registry/open.js';
import type { Remote, RemoteEntry } from '../../proxy/contract.js';
import type { GrowingRepository } from './contract.js';
import { DirectoryListing } from './gen2-listing.js';
import { searchFiles } from './gen2-search.js';

export interface GrowthSettings {
  readonly remote: Remote;
  readonly camera: Camera;
  readonly repositories: readonly Gen2Repository[];
  readonly listingFile: string;
  readonly registries: Readonly<Record<string, string>>;
  /** What stands in the directories of the repositories. */
  readonly entriesOf: ReadonlyMap<string, readonly RemoteEntry[]>;
  /** Closed with what is made. */
  readonly store: ListingStore;
  readonly signal: AbortSignal;
}

/** Rejects with `remote-*` or `interrupted`, and leaves the store open then. */
export async function growGen2(settings: GrowthSettings): Promise<Omit<GrowingRepository, 'validator' | 'copies'>> {
  const { remote, camera, repositories, listingFile, registries, store, signal } = settings;
  store.begin(remote.url);
  const listing = new DirectoryListing(remote, store, true);
  const tops = new TopDirectories(settings, listing);
  const coaddFilters = await tops.coaddFilters(signal);
  const types = await tops.types(signal);
  const reading: Gen2Reading = { camera, repositories, listingFile, registries, growing: { coaddFilters } };
  const places = new Gen2Places(reading);
  /** When directories were listed that the catalogue has. */
  const taken = new Map<string, number>();
  return {
    reading: { format: 'gen2', ...reading },
    types,
    search: async (need, catalogue, { since, signal: asking }) => {
      const wanted = placesOf(places, need, catalogue, camera.instrument);
      const found = await searchFiles({ remote, store, listing }, wanted, { since, signal: asking });
      const listed = new Map(found.directories.map((path) => [path, store.directory(path)?.listed ?? 0]));
      const directories = found.directories.filter((path) => taken.get(path) !== listed.get(path));
      const files = found.files.filter(({ directory }) => !listed.has(directory) || taken.get(directory) !== listed.get(directory));
      if (files.length === 0 && directories.length === 0) return undefined;
      return {
        reader: (current, onWarning) => gen2Additions({ reading, found: { files, directories }, catalogue: current, onWarning }),
        taken: () => {
          for (const path of directories) taken.set(path, listed.get(path)!);
        },
      };
    },
    close: () => store.close(),
  };
}

function placesOf(
  places: Gen2Places,
  need: Extract<DataNeed, { kind: 'data' }>,
  catalogue: Catalogue,
  instrument: string,
): TemplatePlace[] {
  return places.of(need, (visit) => fieldsOfVisit(catalogue, instrument, visit));
}

/** The directories that templates begin with. */
class TopDirectories {
  readonly #settings: GrowthSettings;
  readonly #listing: DirectoryListing;
  readonly #matcher;

  constructor(settings: GrowthSettings, listing: DirectoryListing) {
    this.#settings = settings;
    this.#listing = listing;
    this.#matcher = compileTemplates(settings.camera);
  }

  /** Physical filters of which there are directories of coadds. */
  async coaddFilters(signal: AbortSignal): Promise<string[]> {
    const { camera, repositories, entriesOf } = this.#settings;
    const filters = new Set<string>();
    for (const { type, dimensions, root } of Object.values(camera.templates)) {
      if (root === 'calibrations' || !dimensions.includes('band')) continue;
      const { components } = this.#matcher.template(type)!;
      const at = components.findIndex(({ isLiteral }) => !isLiteral);
      if (at <= 0) continue;
      const names = components.slice(0, at).map(({ prefix }) => prefix);
      for (const { path } of repositories) {
        if (!rootsAt(path).includes(root) || !isDirectory(entriesOf.get(path), names[0]!)) continue;
        for (const { name, kind } of await this.#list([path, ...names].filter((part) => part !== '').join('/'), signal)) {
          const filter = kind === 'directory' ? components[at]!.match(name, {})?.filter : undefined;
          if (filter !== undefined && Object.hasOwn(camera.filters, filter)) filters.add(String(filter));
        }
      }
    }
    return [...filters];
  }

  /** Dataset types of which the first directory is there, by collection. */
  async types(signal: AbortSignal): Promise<Record<string, readonly string[]>> {
    const { repositories, entriesOf } = this.#settings;
    const types: Record<string, readonly string[]> = {};
    for (const repository of repositories)
      types[runName(repository)] = this.#typesIn(entriesOf.get(repository.path) ?? [], rootsAt(repository.path));
    for (const directory of calibrationDirectories(repositories)) {
      const slash = directory.lastIndexOf('/');
      const owner = entriesOf.get(directory.slice(0, Math.max(0, slash)));
      if (!entriesOf.has(directory) && !isDirectory(owner, directory.slice(slash + 1))) continue;
      const entries = entriesOf.get(directory) ?? (await this.#list(directory, signal));
      types[calibrationName(directory)] = this.#typesIn(entries, ['calibrations']);
    }
    return types;
  }

  #typesIn(entries: readonly (RemoteEntry | ListedEntry)[], roots: readonly TemplateRoot[]): string[] {
    const { camera } = this.#settings;
    const templates = Object.values(camera.templates).filter(({ root }) => roots.includes(root));
    const first = templates.map(({ type }) => {
      const { components } = this.#matcher.template(type)!;
      return { type, pattern: components[0]!, kind: components.length > 1 ? 'directory' : 'file' };
    });
    const names = new Set(first.flatMap(({ pattern }) => (pattern.isLiteral ? pattern.prefix : [])));
    const found = first.filter(({ pattern, kind }) =>
      // What is the directory of some types by its name is none that holds any field's value.
      entries.some((entry) => entry.kind === kind && pattern.isLiteral === names.has(entry.name) && pattern.match(entry.name, {})),
    );
    return found.map(({ type }) => type);
  }

  /** As it was listed lately, else as it is: several templates begin with one directory. */
  async #list(path: string, signal: AbortSignal): Promise<readonly ListedEntry[]> {
    const { store } = this.#settings;
    const isFresh = this.#seen.has(path);
    this.#seen.add(path);
    return isFresh ? store.entries(path) : await this.#listing.list(path, null, signal);
  }

  readonly #seen = new Set<string>();
}

function isDirectory(entries: readonly RemoteEntry[] | undefined, name: string): boolean {
  return entries?.some((entry) => entry.name === name && entry.kind === 'directory') === true;
}
