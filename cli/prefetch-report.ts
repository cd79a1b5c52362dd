/** Runs `butlerfs prefetch` and says how it goes: one line that is overwritten on a terminal, a line now and then elsewhere, or JSON lines. */

import { ButlerfsError } from '../common/errors.js';
import { openContents } from '../mounts/contents.js';
import { askDaemon } from '../mounts/control.js';
import { planPrefetch, prefetch, refuseWhatCannotFit } from '../mounts/prefetch.js';
import { formatSize } from '../mounts/units.js';
import { findMount } from './find-mount.js';
import { endProgress, Output, remark, showProgress } from './output.js';
import type { PrefetchPlan } from '../mounts/prefetch.js';
import type { MountState } from '../mounts/state.js';

export interface PrefetchFlags {
  readonly dryRun: boolean;
  readonly jobs: number;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Milliseconds between looks at how much has come in. */
const LOOK_INTERVAL = 500;
/** Milliseconds between lines where there is no terminal. */
const LINE_INTERVAL = 10_000;
/** Milliseconds that a daemon has to answer. */
const DEADLINE = 10_000;

/** Paths of one mount. */
interface Part {
  readonly state: MountState;
  readonly paths: string[];
}

/** Throws where anything could not be fetched, or it was interrupted; the message is the summary. */
export async function prefetchPaths(paths: readonly string[], flags: PrefetchFlags): Promise<void> {
  const parts = new Map<string, Part>();
  for (const path of paths) {
    const { state, below } = await findMount(path);
    const part = parts.get(state.mountPoint) ?? { state, paths: [] };
    parts.set(state.mountPoint, part);
    part.paths.push(below);
  }
  for (const part of parts.values()) await prefetchPart(part, flags);
}

async function prefetchPart({ state, paths }: Part, flags: PrefetchFlags): Promise<void> {
  const { signal, json, dryRun } = flags;
  const output = new Output();
  const emit = async (event: object): Promise<void> => {
    if (!json) return;
    await output.write(`${JSON.stringify(event)}\n`);
    await output.flush();
  };
  const contents = await openContents(state, signal);
  const present: string[] = [];
  let plan: PrefetchPlan;
  try {
    plan = await planPrefetch(contents, paths, signal, (path) => void (json && present.push(path)));
  } finally {
    contents.close();
  }
  const absolute = (path: string): string => `${state.mountPoint}/${path}`;
  for (const path of present) await emit({ event: 'file', path: absolute(path), state: 'present' });
  const { cache } = await askDaemon(state.socket, { command: 'status' }, { deadline: DEADLINE, signal });
  refuseWhatCannotFit(plan, cache);
  if (dryRun) {
    for (const { path, size } of plan.missing) {
      if (json) await emit({ event: 'file', path: absolute(path), state: 'missing', bytes: size });
      else await output.write(`${size === null ? '?' : formatSize(size)}\t${absolute(path)}\n`);
    }
    await output.flush();
    if (!json) remark(describePlan(plan));
    return;
  }
  const failed: { path: string; error: ButlerfsError }[] = [...plan.refused];
  const progress = new Progress(state.socket, plan, cache.fetchedBytes, flags, emit);
  try {
    await prefetch(plan.missing, {
      socket: state.socket,
      jobs: flags.jobs,
      signal,
      onDone: (file, error) => {
        progress.done(file.size ?? 0);
        if (error !== undefined) failed.push({ path: file.path, error });
        const outcome = error === undefined ? { state: 'fetched' } : { state: 'failed', code: error.code, error: error.message };
        void emit({ event: 'file', path: absolute(file.path), bytes: file.size, ...outcome });
      },
    });
  } finally {
    progress.end();
  }
  const fetched = progress.files - (failed.length - plan.refused.length);
  const left = plan.missing.length - progress.files;
  const summary = { event: 'summary', fetched, present: plan.presentFiles, failed: failed.length, left, bytes: progress.bytes };
  await emit(summary);
  await output.flush();
  for (const { path, error } of failed) if (!json) remark(`${absolute(path)}: ${error.message}`);
  const said = `${fetched} files fetched (${formatSize(progress.bytes)}), ${plan.presentFiles} were here`;
  if (signal.aborted)
    throw new ButlerfsError('interrupted', { what: `${said}, ${left} are left`, why: 'interrupted', advice: 'the same again goes on' });
  if (failed.length > 0) throw new ButlerfsError(failed[0]!.error.code, { what: `${said}, ${failed.length} failed` });
  if (!json) remark(said);
}

function describePlan({ missing, missingBytes, unknown, presentFiles, presentBytes, refused }: PrefetchPlan): string {
  const unsized = unknown === 0 ? '' : ` and ${unknown} of unknown size`;
  const bad = refused.length === 0 ? '' : `, ${refused.length} that cannot be read`;
  return `${missing.length} files to fetch (${formatSize(missingBytes)}${unsized}), ${presentFiles} here (${formatSize(presentBytes)})${bad}`;
}

/** Shows how far it is. */
class Progress {
  files = 0;
  /** Of files that are done. */
  bytes = 0;
  readonly #plan: PrefetchPlan;
  readonly #emit: (event: object) => Promise<void>;
  readonly #json: boolean;
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout;
  #received = 0;
  #saidAt = performance.now();
  #looking = false;

  constructor(
    socket: string,
    plan: PrefetchPlan,
    fetchedBefore: number,
    { json, signal }: PrefetchFlags,
    emit: (event: object) => Promise<void>,
  ) {
    this.#plan = plan;
    this.#emit = emit;
    this.#json = json;
    this.#timer = setInterval(() => {
      if (this.#looking) return;
      this.#looking = true;
      askDaemon(socket, { command: 'status' }, { deadline: DEADLINE, signal })
        .then(({ cache }) => {
          this.#received = cache.fetchedBytes - fetchedBefore;
          this.#show();
        })
        .catch(() => undefined)
        .finally(() => {
          this.#looking = false;
        });
    }, LOOK_INTERVAL);
  }

  done(bytes: number): void {
    this.files++;
    this.bytes += bytes;
  }

  end(): void {
    clearInterval(this.#timer);
    endProgress();
  }

  #show(): void {
    const { missing, missingBytes } = this.#plan;
    // Others fetch, too, and what failed is fetched again: no more than there is to fetch.
    const bytes = Math.max(this.bytes, Math.min(this.#received, missingBytes));
    const seconds = (performance.now() - this.#began) / 1000;
    const rate = bytes / seconds;
    const secondsLeft = rate > 0 ? Math.ceil((missingBytes - bytes) / rate) : null;
    const event = {
      event: 'progress',
      files: this.files,
      of: missing.length,
      bytes,
      ofBytes: missingBytes,
      rate: Math.round(rate),
      secondsLeft,
    };
    const line =
      `${this.files} of ${missing.length} files, ${formatSize(bytes)} of ${formatSize(missingBytes)}, ${formatSize(rate)}/s` +
      (secondsLeft === null ? '' : `, ${duration(secondsLeft)} left`);
    if (process.stderr.isTTY && !this.#json) return showProgress(line);
    if (performance.now() - this.#saidAt < LINE_INTERVAL) return;
    this.#saidAt = performance.now();
    if (this.#json) void this.#emit(event);
    else remark(line);
  }
}

/** `1:02:03`, `2:03`. */
function duration(seconds: number): string {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  const two = (n: number): string => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
