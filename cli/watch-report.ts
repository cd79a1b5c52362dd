/** Watches the datasets of one type, and prints what appears. */

import { ButlerfsError } from '../common/errors.js';
import { linkSignals } from '../common/deadline.js';
import { fileNames } from '../fs/tree/file-names.js';
import type { View } from '../fs/tree/view.js';
import { parseDuration } from '../mounts/units.js';
import type { CatalogueFollower } from '../mounts/catalogue-follower.js';
import { differences } from '../registry/difference.js';
import type { DatasetEvent, Searched } from '../registry/difference.js';
import { parseRecent, TIME_FORMS } from '../registry/moment.js';
import { encodeValue } from '../registry/values.js';
import type { Catalogue } from '../registry/contract.js';
import { utcText } from '../sky/time-scales.js';
import { interruptSignal } from './exit.js';
import { Output, remark } from './output.js';
import { constraintOf, viewOf, dataIdOf, leafPath, requireType } from './query-report.js';
import { openFollowed } from './target.js';
import type { Target } from './target.js';

/** Options as they are given. */
export interface WatchFlags {
  readonly where?: string;
  readonly collections?: string;
  readonly since?: string;
  readonly removed?: boolean;
  readonly count?: string;
  readonly timeout?: string;
  readonly poll?: string;
}

/** The command is over because enough was said, or the time is up; being interrupted ends it as well. */
type End = 'enough' | 'late';

/**
 * Returns when it is interrupted, when `count` lines are printed, or without `count` when the time is up. Throws `timed-out` where the time is up before, `usage`, and
 * what a query throws.
 */
export async function watchDatasets(text: string, typeName: string, flags: WatchFlags): Promise<void> {
  const { since, count, timeout, interval } = parseFlags(flags);
  const ending = new AbortController();
  const end = (why: End): void => ending.abort(why);
  const timer = timeout === undefined ? undefined : setTimeout(() => end('late'), timeout);
  const signal = linkSignals(interruptSignal(), ending.signal).signal;
  const onProblem = (problem: string | undefined): void => remark(problem ?? 'new data are seen again');
  const { target, follower } = await openFollowed(text, { collections: flags.collections, interval, onProblem });
  const watched = new Watched(target, typeName, flags);
  const output = new Output();
  let printed = 0;
  const print = async (event: DatasetEvent): Promise<void> => {
    if (signal.aborted || (event.event === 'removed' && flags.removed !== true)) return;
    await output.write(watched.line(event));
    await output.flush();
    if (++printed === count) end('enough');
  };
  try {
    // What is wrong with the question is said before the wait.
    const first = watched.searched(target.catalogue);
    first.catalogue.checkWhere({ where: flags.where, aliases: target.aliases }, first.type);
    if (since !== undefined && first.type !== undefined) {
      const { catalogue, type, ...question } = first;
      for (const dataset of catalogue.query({ ...question, type, ingested: { from: since } })) await print({ event: 'added', dataset });
    }
    await watched.follow(follower, signal, print);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    watched.close();
    await follower.close();
  }
  if (ending.signal.reason === 'late' && count !== undefined) {
    const why = `${printed} of ${count} appeared within ${flags.timeout}`;
    throw new ButlerfsError('timed-out', { what: `waiting for ${typeName}`, where: text, why });
  }
}

function parseFlags({ since, count, timeout, poll }: WatchFlags) {
  const from = since === undefined ? undefined : parseRecent(since);
  if (since !== undefined && from === undefined)
    throw new ButlerfsError('usage', { what: `--since '${since}'`, why: 'it is no time', advice: `write 2h or 1d (ago), ${TIME_FORMS}` });
  if (count !== undefined && !/^[1-9]\d{0,8}$/.test(count))
    throw new ButlerfsError('usage', { what: `--count '${count}'`, why: 'it is no number from 1 on' });
  return {
    since: from,
    count: count === undefined ? undefined : Number(count),
    timeout: timeout === undefined ? undefined : parseDuration(timeout, '--timeout'),
    interval: poll === undefined ? undefined : parseDuration(poll, '--poll'),
  };
}

/** What is watched, in one version of the catalogue after the other. */
class Watched {
  readonly #target: Target;
  readonly #typeName: string;
  readonly #where: string | undefined;
  #catalogue: Catalogue;
  #view: View;

  /** Throws `unknown-dataset-type` and `unknown-collection`. Takes the catalogue of the target over. */
  constructor(target: Target, typeName: string, { where }: Pick<WatchFlags, 'where'>) {
    this.#target = target;
    this.#typeName = typeName;
    this.#where = where;
    this.#catalogue = target.catalogue;
    requireType(target.catalogue, typeName);
    this.#view = this.#viewOf(target.catalogue);
  }

  #viewOf(catalogue: Catalogue): View {
    return viewOf({ ...this.#target, catalogue }, this.#where);
  }

  /** Throws `unknown-collection`, and `unknown-dimension` or `invalid-value` of the mount's defaults. */
  searched(catalogue: Catalogue): Searched {
    const type = catalogue.datasetType(this.#typeName);
    const view = this.#viewOf(catalogue);
    if (type === undefined) return { catalogue, type, searchPath: view.searchPath, constraint: new Map() };
    return { ...view.of(type), catalogue, constraint: constraintOf({ ...this.#target, catalogue }, view, type, []) };
  }

  /** Rejects with `interrupted`. A version in which the search path does not resolve is passed over, and said to be. */
  async follow(follower: CatalogueFollower, signal: AbortSignal, print: (event: DatasetEvent) => Promise<void>): Promise<never> {
    let version = this.#catalogue.info.version;
    for (;;) {
      const next = await follower.next(version, signal);
      version = next.info.version;
      let events: Iterable<DatasetEvent>;
      try {
        events = differences(this.searched(this.#catalogue), this.searched(next));
      } catch (error) {
        next.close();
        remark(`this version is passed over: ${error instanceof Error ? error.message : String(error)}`);
        continue;
      }
      const former = this.#catalogue;
      this.#catalogue = next;
      this.#view = this.#viewOf(next);
      try {
        for (const event of events) await print(event);
      } finally {
        former.close();
      }
    }
  }

  /** `path` is that of the file, or of the directory where there are several; null where the mount shows it at none. */
  line({ event, dataset }: DatasetEvent): string {
    const { type, uuid, run, ingested } = dataset;
    const { mountPoint } = this.#target;
    const path = mountPoint === undefined ? {} : { path: this.#pathOf(dataset, mountPoint) };
    const time = ingested === null ? null : utcText(ingested);
    return `${JSON.stringify({ event, type: type.name, dataId: dataIdOf(dataset), uuid, run, ...path, ingested: time })}\n`;
  }

  #pathOf(dataset: DatasetEvent['dataset'], mountPoint: string): string | null {
    const [collection, ...others] = this.#target.isOwnSearchPath === false ? this.#target.collections : [];
    if (others.length > 0) return null;
    try {
      const operator = collection === undefined ? [] : ['@collections', encodeValue(collection)];
      const leaf = [mountPoint.replace(/\/$/, ''), ...operator, leafPath(this.#view, dataset.type, dataset.values)];
      const names = dataset.validity === null ? fileNames(this.#view, dataset.type, null, [dataset]) : [];
      return (names.length === 1 ? [...leaf, names[0]!.name] : leaf).join('/');
    } catch (error) {
      if (error instanceof ButlerfsError && error.code === 'invalid-value') return null;
      throw error;
    }
  }

  close(): void {
    this.#catalogue.close();
  }
}
