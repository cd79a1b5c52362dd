/**
 * A source that is served while it is walked. The catalogue has what was found so far: what a question needs is looked for and added when it is asked, and the
 * walk goes on behind, however often it fails, until a catalogue of everything takes its place.
 */

import { abortable, linkSignals, longLivedController, sleep, throwIfAborted, within } from '../common/deadline.js';
import { asButlerfsError, ButlerfsError } from '../common/errors.js';
import { openCatalogue, updateCatalogue } from '../registry/open.js';
import type { CatalogueInfo, Catalogue, DataNeed, Unread } from '../registry/contract.js';
import { displayName } from './formats/contract.js';
import type { Finding, GrowingRepository } from './formats/contract.js';
import { lockSource } from './source-lock.js';
import type { OpenVersion, SourceParts } from './source-version.js';

/** Milliseconds before a walk that failed goes on: at first, and at most. */
const PAUSE = { first: 1_000, longest: 60_000 };

export interface GrowthSettings {
  readonly parts: SourceParts;
  readonly growing: GrowingRepository;
  /** The version that is served meanwhile. */
  readonly partial: OpenVersion;
  /** Walks the repository to its end. Where it was interrupted it goes on when it is called again. */
  readonly walk: (signal: AbortSignal, onProgress: (line: string) => void) => Promise<OpenVersion>;
}

export interface WalkState {
  /** How far it is, as a line. */
  readonly progress: string;
  /** Why it does not go on at the moment. */
  readonly problem?: ButlerfsError | undefined;
}

export class Growth {
  readonly #settings: GrowthSettings;
  readonly #file: string;
  readonly #closing = longLivedController();
  readonly #walked: Promise<void>;
  /** When a question was asked first that was not answered yet: what was read for it since then is not read again. */
  readonly #asked = new Map<string, number>();
  #updating: Promise<unknown> = Promise.resolve();
  #state: WalkState = { progress: 'beginning to list directories' };
  #finished: OpenVersion | undefined;
  #onFinish: (() => void) | undefined;

  /** Begins the walk. */
  constructor(settings: GrowthSettings) {
    this.#settings = settings;
    const { parts, partial } = settings;
    this.#file = parts.store.catalogueOf(partial.version);
    this.#walked = this.#walk();
    this.#walked.catch(() => undefined);
  }

  /** The version with everything; undefined while the walk goes on. */
  get finished(): OpenVersion | undefined {
    return this.#finished;
  }

  get state(): WalkState {
    return this.#state;
  }

  /** What the catalogue may lack. `trusted`: milliseconds, as there. */
  unread(trusted: number): Unread {
    return { types: this.#settings.growing.types, trusted };
  }

  /** Calls `onFinish` when the version with everything is there. */
  watch(onFinish: () => void): void {
    this.#onFinish = onFinish;
    if (this.#finished !== undefined) onFinish();
  }

  /**
   * Reads what a question needs; resolves to the facts of the catalogue then, whether or not anything came. Rejects with `remote-*`, `interrupted`, and
   * `remote-timeout` after `deadline` milliseconds: what was read until then is kept, so that asking again goes on from there. `trusted` as in {@link unread}.
   */
  async read(
    need: DataNeed,
    options: { readonly trusted: number; readonly deadline: number; readonly signal: AbortSignal },
  ): Promise<CatalogueInfo> {
    const linked = linkSignals(options.signal, this.#closing.signal);
    const late = (): ButlerfsError => this.#late(need, options.deadline);
    try {
      const work = need.kind === 'everything' ? this.#everything(linked.signal) : this.#search(need, options.trusted, linked.signal);
      return await within(work, options.deadline, late);
    } finally {
      linked.abort();
      linked.unlink();
    }
  }

  /** Ends the walk, which goes on when the source is opened again. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#walked.catch(() => undefined);
    await this.#updating.catch(() => undefined);
    if (!this.#isClosed) this.#settings.growing.close();
    this.#isClosed = true;
  }

  #isClosed = false;

  #late(need: DataNeed, deadline: number): ButlerfsError {
    return new ButlerfsError('remote-timeout', {
      what: need.kind === 'everything' ? 'a listing that needs all of the repository' : `reading directories for ${need.type}`,
      where: displayName(this.#settings.parts),
      why: `it is not done after ${Math.round(deadline / 1000)} s (${this.#state.progress})`,
      advice: 'try again: what was read is kept',
    });
  }

  async #everything(signal: AbortSignal): Promise<CatalogueInfo> {
    await abortable(this.#walked, signal, 'waiting until the repository is walked');
    return this.#finished!.info;
  }

  async #search(need: Extract<DataNeed, { kind: 'data' }>, trusted: number, signal: AbortSignal): Promise<CatalogueInfo> {
    const key = JSON.stringify(need);
    const since = this.#asked.get(key) ?? Date.now() - trusted;
    this.#asked.set(key, since);
    const catalogue = this.#open();
    let finding;
    try {
      finding = await this.#settings.growing.search(need, catalogue, { since, signal });
    } finally {
      catalogue.close();
    }
    this.#asked.delete(key);
    if (finding === undefined) return this.#info();
    const update = this.#updating.catch(() => undefined).then(() => this.#update(finding, signal));
    this.#updating = update;
    return await update;
  }

  async #update(finding: Finding, signal: AbortSignal): Promise<CatalogueInfo> {
    const { parts } = this.#settings;
    throwIfAborted(signal, 'updating the catalogue');
    const unlock = await lockSource(parts.store.lockFile, { signal, onWait: () => undefined });
    try {
      const catalogue = this.#open();
      try {
        const reader = finding.reader(catalogue, (message) => parts.warnings.add(message));
        const { repository, validator, version } = catalogue.info;
        const options = { reader, target: this.#file, repository, validator, version: version + 1, updatable: true };
        const updated = await updateCatalogue(options);
        finding.taken();
        // Another process that serves it may have added the same.
        return updated ?? this.#info();
      } finally {
        catalogue.close();
      }
    } finally {
      await unlock();
    }
  }

  #info(): CatalogueInfo {
    const catalogue = this.#open();
    try {
      return catalogue.info;
    } finally {
      catalogue.close();
    }
  }

  #open(): Catalogue {
    const catalogue = openCatalogue(this.#file);
    if (catalogue !== undefined) return catalogue;
    throw new ButlerfsError('cache-failed', { what: `catalogue '${this.#file}'`, why: 'it cannot be read', advice: 'mount again' });
  }

  async #walk(): Promise<void> {
    const { signal } = this.#closing;
    const { parts, walk } = this.#settings;
    for (let pause = PAUSE.first; ; pause = Math.min(2 * pause, PAUSE.longest)) {
      try {
        // One process walks; the others wait for what it makes.
        const unlock = await lockSource(parts.store.walkFile, {
          signal,
          onWait: () => this.#tell('waiting for another process that lists directories'),
        });
        try {
          this.#finished = await walk(signal, (progress) => this.#tell(progress));
        } finally {
          await unlock();
        }
        this.#onFinish?.();
        return;
      } catch (error) {
        throwIfAborted(signal, `listing ${displayName(parts)}`);
        this.#state = { ...this.#state, problem: asButlerfsError(error) };
        parts.onProgress(`${this.#state.progress}; stopped: ${asButlerfsError(error).message}`);
      }
      await sleep(pause, signal, 'a walk that failed');
    }
  }

  #tell(progress: string): void {
    this.#state = { progress };
  }
}
