/** Follows the catalogue of a source, or that of a mount, from version to version. */

import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { basename } from 'node:path';
import { linkSignals, sleep, throwIfAborted } from '../common/deadline.js';
import { asButlerfsError } from '../common/errors.js';
import type { Catalogue } from '../registry/contract.js';
import { openCatalogue } from '../registry/open.js';
import { askDaemon } from './control.js';
import { openMountedCatalogue } from './mounted-catalogue.js';
import type { OpenedSource } from './source.js';
import { isAlive, readMountState } from './state.js';

export interface CatalogueFollower {
  /**
   * Waits for a version other than `version`, and opens it; the caller closes it. Rejects with `interrupted` once `signal` fires. While the source or the mount is
   * away it waits on.
   */
  next(version: number, signal: AbortSignal): Promise<Catalogue>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Told once of each thing that keeps new versions from being seen, as a message, and with undefined when it is over. */
export type OnProblem = (problem: string | undefined) => void;

/** Milliseconds between looks at a mount of which nothing is heard. */
const MOUNT_LOOK = 2_000;
/** Milliseconds between looks at a mount that has not shown a version yet that is there. */
const SOON = 50;
/** Milliseconds that a daemon has to answer; to look at its origin it has deadlines of its own. */
const DAEMON_DEADLINE = { status: 10_000, refresh: 120_000 };

/** Waits that a ring ends; one that comes meanwhile ends the next wait. */
class Bell {
  #isRung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  /** Rejects with `interrupted`. */
  async wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal, 'waiting for new data');
    if (!this.#isRung) {
      const woken = new AbortController();
      const linked = linkSignals(signal, woken.signal);
      this.#wake = () => woken.abort();
      await sleep(milliseconds, linked.signal).catch(() => undefined);
      linked.unlink();
      this.#wake = undefined;
      throwIfAborted(signal, 'waiting for new data');
    }
    this.#isRung = false;
  }
}

/** Tells each problem once. */
class Problems {
  readonly #onProblem: OnProblem;
  #known: string | undefined;

  constructor(onProblem: OnProblem) {
    this.#onProblem = onProblem;
  }

  now(problem: string | undefined): void {
    if (problem === this.#known) return;
    this.#known = problem;
    this.#onProblem(problem);
  }
}

/** Looks at the origin every `interval` milliseconds, and at once where it tells of changes. Closing closes the source. */
export function followSource(opened: OpenedSource, interval: number, onProblem: OnProblem): CatalogueFollower {
  const bell = new Bell();
  const closing = new AbortController();
  const problems = new Problems(onProblem);
  opened.watch?.(() => bell.ring(), closing.signal);
  return {
    next: async (version, signal) => {
      for (;;) {
        throwIfAborted(signal, 'waiting for new data');
        let isUnfinished = false;
        try {
          const found = await opened.refresh({ signal });
          problems.now(undefined);
          ({ isUnfinished } = found);
          const catalogue = found.info.version === version ? undefined : openCatalogue(found.catalogueFile);
          if (catalogue !== undefined) {
            if (isUnfinished) bell.ring();
            return catalogue;
          }
        } catch (error) {
          throwIfAborted(signal, 'waiting for new data');
          problems.now(asButlerfsError(error).message);
        }
        if (!isUnfinished) await bell.wait(interval, signal);
      }
    },
    close: async () => {
      closing.abort();
      await opened.close();
    },
  };
}

export interface FollowedMount {
  /** As mountinfo has it. */
  readonly mountPoint: string;
  /** Where the states of mounts are: `Directories.mountStates`. */
  readonly mountStates: string;
  /** Milliseconds between looks at the origin that the mount is asked for; undefined: it looks when it looks. */
  readonly interval: number | undefined;
}

/** A version is given when the mount shows it: paths that it brought can be opened then. */
export function followMount({ mountPoint, mountStates, interval }: FollowedMount, onProblem: OnProblem): CatalogueFollower {
  const bell = new Bell();
  const problems = new Problems(onProblem);
  const watched = new CurrentVersion(() => bell.ring());
  let refreshAt = 0;
  /** Milliseconds until the next look, or the version. */
  const look = async (version: number, signal: AbortSignal): Promise<Catalogue | number> => {
    const state = await readMountState(mountStates, mountPoint);
    if (state === undefined || !isAlive(state)) {
      problems.now(`nothing is mounted at ${mountPoint} any more; waiting for it`);
      return MOUNT_LOOK;
    }
    watched.watch(state.catalogueDirectory);
    let failure: string | undefined;
    if (interval !== undefined && Date.now() >= refreshAt) {
      refreshAt = Date.now() + interval;
      await askDaemon(state.socket, { command: 'refresh' }, { deadline: DAEMON_DEADLINE.refresh, signal }).catch((error: unknown) => {
        failure = asButlerfsError(error).message;
      });
    }
    const { problem, catalogue: served } = await askDaemon(
      state.socket,
      { command: 'status' },
      { deadline: DAEMON_DEADLINE.status, signal },
    );
    problems.now(problem ?? failure);
    const pause = interval === undefined ? MOUNT_LOOK : Math.min(MOUNT_LOOK, Math.max(SOON, refreshAt - Date.now()));
    if (served.version === version) return pause;
    const catalogue = await openMountedCatalogue(state);
    if (catalogue.info.version === served.version) return catalogue;
    catalogue.close();
    return SOON;
  };
  return {
    next: async (version, signal) => {
      for (;;) {
        throwIfAborted(signal, 'waiting for new data');
        const found = await look(version, signal).catch((error: unknown) => {
          throwIfAborted(signal, 'waiting for new data');
          problems.now(asButlerfsError(error).message);
          return MOUNT_LOOK;
        });
        if (typeof found !== 'number') return found;
        await bell.wait(found, signal);
      }
    },
    close: () => {
      watched.close();
      return Promise.resolve();
    },
  };
}

/** Hears of the file `current` in the directory of a source being replaced. */
class CurrentVersion {
  readonly #onChange: () => void;
  #directory: string | undefined;
  #watcher: FSWatcher | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Where it cannot be watched, the looks of whoever waits must do. */
  watch(directory: string): void {
    if (this.#directory === directory) return;
    this.close();
    try {
      this.#watcher = watch(directory, { persistent: false }, (_, name) => {
        if (name !== null && basename(name) === 'current') this.#onChange();
      });
      this.#watcher.on('error', () => this.close());
      this.#directory = directory;
    } catch {
      this.close();
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#directory = undefined;
  }
}
