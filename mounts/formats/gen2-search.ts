/** Looks for files of a Gen2 repository where their templates say that they are, in place of walking all of it. */

import { setMaxListeners } from 'node:events';
import { linkSignals, throwIfAborted } from '../../common/deadline.js';
import { asButlerfsError } from '../../common/errors.js';
import { parseRemotePath } from '../../proxy/paths.js';
import type { Remote } from '../../proxy/contract.js';
import type { FieldValues, Gen2Found, ListedEntry, ListingStore, TemplatePlace } from '../../registry/open.js';
import type { DirectoryListing } from './gen2-listing.js';

export interface SearchSettings {
  readonly remote: Remote;
  readonly store: ListingStore;
  readonly listing: DirectoryListing;
}

/** Requests of one search at a time. */
const CONCURRENCY = 12;

/**
 * Reads the directories that the places need. Where the whole path of a file is known that file alone is asked for, in the first place that has it. `since`:
 * milliseconds since 1970; what was listed later is taken for what is there. Rejects with `remote-*` or `interrupted`; what was listed until then is kept.
 */
export async function searchFiles(
  settings: SearchSettings,
  places: readonly TemplatePlace[],
  { since, signal }: { readonly since: number; readonly signal: AbortSignal },
): Promise<Gen2Found> {
  const control = linkSignals(signal);
  setMaxListeners(0, control.signal);
  try {
    return await new Search(settings, since, control.signal).run(places);
  } catch (error) {
    // Nothing is under way any more when this returns.
    control.abort(error);
    throw error;
  } finally {
    control.unlink();
  }
}

interface Step {
  readonly place: TemplatePlace;
  readonly path: string;
  /** Which component of the template stands in the directory. */
  readonly index: number;
  readonly fields: FieldValues;
  /** Time of the directory as its parent's listing says. */
  readonly modified: number | null;
}

class Search {
  readonly #settings: SearchSettings;
  readonly #since: number;
  readonly #signal: AbortSignal;
  readonly #files: Gen2Found['files'][number][] = [];
  readonly #directories = new Set<string>();

  constructor(settings: SearchSettings, since: number, signal: AbortSignal) {
    this.#settings = settings;
    this.#since = since;
    this.#signal = signal;
  }

  async run(places: readonly TemplatePlace[]): Promise<Gen2Found> {
    const steps: Step[] = [];
    for (const place of places) {
      const path = place.template.format(place.fields);
      if (path === undefined) steps.push({ place, path: place.base, index: 0, fields: place.fields, modified: null });
      else if (isPath(path, place) && (await this.#isThere(place.base === '' ? path : `${place.base}/${path}`))) break;
    }
    await this.#descend(steps);
    return { files: this.#files, directories: [...this.#directories] };
  }

  async #isThere(path: string): Promise<boolean> {
    try {
      const { size, validator, modified } = await this.#settings.remote.stat(parseRemotePath(path), { signal: this.#signal });
      const slash = path.lastIndexOf('/');
      const [directory, name] = [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)];
      // A page that a server makes for any name, as to log in, has no time.
      if (validator === null && modified === null) return await this.#isListed(directory, name);
      this.#files.push({ directory, name, size });
      return true;
    } catch (error) {
      if (asButlerfsError(error).code !== 'remote-not-found') throw error;
      return false;
    }
  }

  async #isListed(directory: string, wanted: string): Promise<boolean> {
    const entries = await this.#settings.listing.list(directory, null, this.#signal);
    const found = entries.find(({ name, kind }) => name === wanted && kind === 'file');
    if (found !== undefined) this.#files.push({ directory, name: wanted, size: found.size });
    return found !== undefined;
  }

  async #descend(steps: Step[]): Promise<void> {
    const running = new Set<Promise<void>>();
    let failure: { readonly error: unknown } | undefined;
    while (running.size > 0 || (failure === undefined && steps.length > 0)) {
      while (failure === undefined && running.size < CONCURRENCY && steps.length > 0) {
        const step: Promise<void> = this.#take(steps.pop()!)
          .then((below) => void steps.push(...below))
          .catch((error: unknown) => void (failure ??= { error }))
          .finally(() => running.delete(step));
        running.add(step);
      }
      await Promise.race(running);
      if (failure !== undefined) throw failure.error;
    }
  }

  /** Goes on to the directories below; files of a last directory are taken all together. */
  async #take(step: Step): Promise<Step[]> {
    const { place, path, index, fields } = step;
    const { template } = place;
    throwIfAborted(this.#signal, `listing ${this.#settings.remote.url}`);
    if (index === template.components.length - 1) {
      await this.#takeFiles(step);
      return [];
    }
    const below = (name: string): string => (path === '' ? name : `${path}/${name}`);
    const name = template.formatComponent(index, fields);
    if (name !== undefined) return isName(name) ? [{ place, path: below(name), index: index + 1, fields, modified: null }] : [];
    const entries = await this.#entries(step);
    return entries.flatMap((entry) => {
      const found = entry.kind === 'directory' ? template.components[index]!.match(entry.name, fields) : undefined;
      return found === undefined ? [] : [{ place, path: below(entry.name), index: index + 1, fields: found, modified: entry.modified }];
    });
  }

  async #takeFiles(step: Step): Promise<void> {
    const { path: directory } = step;
    if (this.#directories.has(directory)) return;
    this.#directories.add(directory);
    for (const { name, kind, size } of await this.#entries(step)) if (kind === 'file') this.#files.push({ directory, name, size });
  }

  /** What is in a directory: as it was listed lately, else as it is. */
  async #entries({ path, modified }: Step): Promise<readonly ListedEntry[]> {
    const { store, listing } = this.#settings;
    const known = store.directory(path);
    if (known !== undefined && known.listed >= this.#since) return store.entries(path);
    return await listing.list(path, modified ?? known?.modified ?? null, this.#signal);
  }
}

/** Whether the values of a path made no component of it more than one. */
function isPath(path: string, { template }: TemplatePlace): boolean {
  const names = path.split('/');
  return names.length === template.components.length && names.every(isName);
}

function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}
