/**
 * Watches that a mount answers what needs no remote, all the while that something else on it is broken.
 *
 * How that is judged: an answer counts once for every interval that it took, as if the question had been asked anew each time; otherwise one answer that
 * took seconds would be one among hundreds. Nine of ten answers must come in less than 100 ms. The tenth is left to the machine, which runs a server, a mount
 * and readers on few cores; but none may take as long as a wait for a broken remote would: the idle timeout of the tests that use this is longer than
 * {@link LONGEST}.
 */

import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { within } from '../../common/deadline.js';

/** Milliseconds that nine of ten answers must be below. */
export const PROMPT = 100;
/** Milliseconds that every answer must be below. */
export const LONGEST = 1_500;
const INTERVAL = 20;
/** Milliseconds for what hangs to end. */
const END = 20_000;

export interface WatchPlan {
  readonly mount: string;
  /** A file that is catalogued and not in the cache. */
  readonly file: string;
  readonly directory: string;
  /** A file in the cache, not empty. */
  readonly cached: string;
  /** Milliseconds between two rounds. */
  readonly interval: number;
}

/** By operation. */
export type Watched = Readonly<Record<string, { readonly milliseconds: readonly number[]; readonly errors: readonly string[] }>>;

export interface Watch {
  /** Ends the watch and expects that every operation was answered in time, without an error. */
  expectPrompt(): Promise<void>;
  /** For the end of a test that failed before. Idempotent. */
  stop(): void;
}

/** Begins to watch; resolves when the first round has begun. */
export async function watch(plan: Omit<WatchPlan, 'interval'>): Promise<Watch> {
  const here = dirname(fileURLToPath(import.meta.url));
  const loader = join(here, '../../cache/testing/typescript.mjs');
  const text = JSON.stringify({ ...plan, interval: INTERVAL } satisfies WatchPlan);
  const child = spawn(process.execPath, ['--import', loader, join(here, 'watch-child.ts'), text], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = (): Promise<string> =>
    within(
      lines.next().then(({ value, done }) => (done === true ? '' : value)),
      END,
      () => new Error(`the mount did not answer for ${END / 1000} s`),
    );
  const stop = (): void => void child.kill('SIGKILL');
  if ((await nextLine()) !== 'watching') throw new Error('the watch did not begin');
  return {
    async expectPrompt() {
      child.stdin.end();
      const watched = JSON.parse(await nextLine()) as Watched;
      for (const [name, { milliseconds, errors }] of Object.entries(watched)) {
        expect(errors, name).toEqual([]);
        expect(percentile(weighted(milliseconds), 0.9), `${name}: nine of ten answers, milliseconds`).toBeLessThan(PROMPT);
        expect(Math.max(...milliseconds), `${name}: the slowest answer, milliseconds`).toBeLessThan(LONGEST);
      }
    },
    stop,
  };
}

/** What would have been seen by who asks every {@link INTERVAL}, whether or not the answer before has come. */
export function weighted(milliseconds: readonly number[]): number[] {
  return milliseconds.flatMap((taken) => Array.from({ length: Math.floor(taken / INTERVAL) + 1 }, (_, index) => taken - index * INTERVAL));
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
