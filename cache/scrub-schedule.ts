/**
 * The scrub in the background: each object once in a period, spread over it. How far it has come is kept in the cache directory, so that it goes on after a
 * restart; of several processes that share a cache one does it.
 */

import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeFileAtomically } from '../common/atomic.js';
import { settleDoubts } from './unsynced.js';
import { parseJson, type Layout } from './layout.js';
import { objectGroups } from './scan.js';
import { scrub, scrubAlone, type Damaged, type ScrubProgress } from './scrub.js';

/** Bytes a second: little beside what a disk gives, so that readers do not feel it. */
const RATE = 16 * 1024 ** 2;
/** Milliseconds between looks at whether something is due, at most; and after the start. */
const LONGEST_PAUSE = 600_000;
const FIRST_PAUSE = 60_000;

const stateSchema = z.object({
  /** Milliseconds since 1970 at which this round began. */
  began: z.number(),
  /** Likewise, however it was spread over time. */
  started: z.number().default(0),
  /** Groups up to this one, in order, are done. Empty: none. */
  done: z.string(),
  /** Of this round so far. */
  objects: z.number(),
  bytes: z.number(),
  damaged: z.number(),
  /** When the last whole round ended, and what it found; null before the first. */
  last: z.object({ at: z.number(), objects: z.number(), bytes: z.number(), damaged: z.number() }).nullable(),
});
type ScrubState = z.infer<typeof stateSchema>;

export interface ScheduleSettings {
  readonly layout: Layout;
  /** Milliseconds in which each object is read once. */
  readonly period: number;
  readonly onDamaged: (damaged: Damaged) => void;
  readonly onError: (error: unknown) => void;
  /** For tests: milliseconds until the first look. */
  readonly firstPause?: number | undefined;
}

/** What `status` shows. */
export interface ScrubStatus {
  /** Milliseconds; 0 where it is off. */
  readonly period: number;
  /** Share of the present round that is done, 0 to 1. */
  readonly progress: number;
  /** Milliseconds since 1970 of the end of the last whole round; null before the first. */
  readonly finished: number | null;
  /** Damaged objects found by the present round and the last one. */
  readonly damaged: number;
}

export class ScrubSchedule {
  readonly #settings: ScheduleSettings;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #status: ScrubStatus;

  constructor(settings: ScheduleSettings) {
    this.#settings = settings;
    this.#status = { period: settings.period, progress: 0, finished: null, damaged: 0 };
    this.#wait(settings.firstPause ?? FIRST_PAUSE);
  }

  get status(): ScrubStatus {
    return this.#status;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#closing.abort();
    await this.#working;
  }

  #wait(milliseconds: number): void {
    if (this.#closing.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#working = this.#run();
    }, milliseconds);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    let pause = LONGEST_PAUSE;
    try {
      pause = (await scrubAlone(this.#settings.layout, () => this.#advance())) ?? LONGEST_PAUSE;
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#settings.onError(error);
    }
    this.#wait(pause);
  }

  /** Scrubs the next group where it is due. Returns milliseconds until the next look. */
  async #advance(): Promise<number> {
    const { layout, period, onDamaged } = this.#settings;
    const groups = await objectGroups(layout);
    const state = (await readScrubState(layout)) ?? beginning(null);
    // Of a round that began long ago, as after a long time without a mount, the rest is spread over a new period.
    if (Date.now() > state.began + 2 * period) Object.assign(state, { began: Date.now() });
    const index = groups.findIndex((group) => group > state.done);
    const isOver = index < 0;
    this.#show(state, isOver ? 1 : index / groups.length);
    const due = state.began + (period * (isOver ? groups.length : index)) / Math.max(1, groups.length);
    if (Date.now() < due) return Math.min(due - Date.now(), LONGEST_PAUSE);
    if (isOver) {
      const { objects, bytes, damaged, started } = state;
      settleDoubts(layout, started);
      await writeState(layout, beginning({ at: Date.now(), objects, bytes, damaged }));
      return groups.length === 0 ? LONGEST_PAUSE : 0;
    }
    const group = groups[index]!;
    const { objects, bytes, damaged } = await scrub({ layout, rate: RATE, groups: [group], signal: this.#closing.signal, onDamaged });
    state.done = group;
    state.objects += objects;
    state.bytes += bytes;
    state.damaged += damaged;
    await writeState(layout, state);
    this.#show(state, (index + 1) / groups.length);
    return 0;
  }

  #show({ damaged, last }: ScrubState, progress: number): void {
    const { period } = this.#settings;
    this.#status = { period, progress, finished: last?.at ?? null, damaged: damaged + (last?.damaged ?? 0) };
  }
}

/** Notes that all objects were gone through by other means since `began`: a new round begins. Under the lock of those who scrub. */
export async function noteWholeRound(layout: Layout, { objects, bytes, damaged }: ScrubProgress, began: number): Promise<void> {
  settleDoubts(layout, began);
  await writeState(layout, beginning({ at: Date.now(), objects, bytes, damaged }));
}

function beginning(last: ScrubState['last']): ScrubState {
  const began = Date.now();
  return { began, started: began, done: '', objects: 0, bytes: 0, damaged: 0, last };
}

/** Undefined where there is none, or none that can be understood: then a round begins. */
export async function readScrubState(layout: Layout): Promise<ScrubState | undefined> {
  const text = await readFile(layout.scrubState, 'utf8').catch(() => '');
  return stateSchema.safeParse(parseJson(text)).data;
}

async function writeState(layout: Layout, state: ScrubState): Promise<void> {
  await writeFileAtomically(layout.scrubState, `${JSON.stringify(state)}\n`);
}
