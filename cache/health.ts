/** Whether the disk of the cache takes what is given to it. While it does not, reads go past it, and it is tried again every few seconds. */

import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ButlerfsError } from '../common/errors.js';
import { diskError } from './errors.js';
import { prepareLayout, type Layout } from './layout.js';

/** Milliseconds between trials. */
const TRIAL_INTERVAL = 5_000;
/** Milliseconds between lines of the log about the same trouble. */
const LOG_INTERVAL = 60_000;

export interface HealthSettings {
  readonly layout: Layout;
  /** Whether the disk has room above the floor. */
  readonly hasRoom: () => boolean;
  readonly warn: (message: string) => void;
  readonly info: (message: string) => void;
}

export class Health {
  readonly #settings: HealthSettings;
  #problem: ButlerfsError | undefined;
  #loggedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: HealthSettings) {
    this.#settings = settings;
  }

  /** What is wrong, while something is. */
  get problem(): ButlerfsError | undefined {
    return this.#problem;
  }

  /** Whether it makes sense to give something to the disk. One that is full takes small things still, and is asked each time. */
  get isUsable(): boolean {
    return this.#problem?.code !== 'cache-failed';
  }

  /** Something could not be stored. Returns whether it makes sense to try again at once: what was missing was made anew. */
  failed(error: ButlerfsError): boolean {
    const isNew = this.#problem === undefined;
    this.#problem = error;
    if (isNew && error.code === 'cache-failed' && this.#try()) return true;
    const now = performance.now();
    if (now - this.#loggedAt >= LOG_INTERVAL) {
      this.#loggedAt = now;
      this.#settings.warn(`the cache is degraded, reads go past it: ${error.message}`);
    }
    this.#schedule();
    return false;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#problem !== undefined && !this.#try()) this.#schedule();
    }, TRIAL_INTERVAL);
    this.#timer.unref();
  }

  /** Makes the directories that are gone, and writes a little. */
  #try(): boolean {
    const { layout, hasRoom, info } = this.#settings;
    try {
      prepareLayout(layout.directory);
      const path = join(layout.temporary, `${process.pid}-0-trial.part`);
      const fd = openSync(path, 'w', 0o600);
      try {
        writeSync(fd, Buffer.alloc(4096));
        fsyncSync(fd);
      } finally {
        closeSync(fd);
        rmSync(path, { force: true });
      }
    } catch (error) {
      this.#problem = diskError(error, 'writing to the cache', layout.directory);
      return false;
    }
    if (!hasRoom()) return false;
    if (this.#loggedAt > -Infinity) info(`${layout.directory}: the cache takes new content again`);
    this.#loggedAt = -Infinity;
    this.#problem = undefined;
    return true;
  }
}
