/** Asks the daemons of this user how their mounts are, and says it. */

import { asButlerfsError, ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import { askDaemon } from '../mounts/control.js';
import { findDirectories } from '../mounts/directories.js';
import { MOUNT_TYPE, readMountInfo } from '../mounts/mountinfo.js';
import { isAlive, readMountStates } from '../mounts/state.js';
import { formatSize } from '../mounts/units.js';
import { formatTable, printable } from './table.js';
import type { CacheStatistics } from '../cache/contract.js';
import type { MountStatus } from '../mounts/contract.js';
import type { MirrorHealth } from '../proxy/contract.js';

/** One mount as it was found. */
export type SeenMount =
  | { readonly kind: 'served'; readonly mountPoint: string; readonly status: MountStatus }
  /** Its daemon is gone, does not answer, or is not this user's. */
  | { readonly kind: 'unserved'; readonly mountPoint: string; readonly repository: string; readonly problem: string };

/** Milliseconds that a daemon has to answer. */
const DEADLINE = 5_000;

/** Every mount, or the one at `mountPoint`; throws `not-mounted` where that is none. */
export async function lookAtMounts(mountPoint: string | undefined): Promise<SeenMount[]> {
  const states = (await readMountStates(findDirectories().mountStates)).filter((state) => isAlive(state));
  const mounts = (await readMountInfo()).filter(({ type }) => type === MOUNT_TYPE);
  const points = [...new Set([...states, ...mounts].map((mount) => mount.mountPoint))].sort();
  if (mountPoint !== undefined && !points.includes(mountPoint)) {
    throw new ButlerfsError('not-mounted', {
      what: `no butlerfs mount at ${mountPoint}`,
      advice: didYouMean(nearestNames(mountPoint, points)) ?? 'butlerfs status lists the mounts',
    });
  }
  const wanted = mountPoint === undefined ? points : [mountPoint];
  return await Promise.all(
    wanted.map(async (point): Promise<SeenMount> => {
      const state = states.find((entry) => entry.mountPoint === point);
      if (state === undefined) {
        const repository = mounts.find((mount) => mount.mountPoint === point)?.source ?? '';
        return { kind: 'unserved', mountPoint: point, repository, problem: 'no daemon of yours serves it' };
      }
      try {
        return { kind: 'served', mountPoint: point, status: await askDaemon(state.socket, { command: 'status' }, { deadline: DEADLINE }) };
      } catch (error) {
        return { kind: 'unserved', mountPoint: point, repository: state.repository, problem: asButlerfsError(error).message };
      }
    }),
  );
}

/** JSON lines. */
export function jsonOf(mounts: readonly SeenMount[]): string {
  return mounts.map((mount) => `${JSON.stringify(mount.kind === 'served' ? mount.status : { ...mount, state: 'unserved' })}\n`).join('');
}

export function describeMounts(mounts: readonly SeenMount[]): string {
  if (mounts.length === 0) return 'nothing is mounted\n';
  const rows = mounts.map((mount) =>
    mount.kind === 'served'
      ? [
          mount.mountPoint,
          mount.status.state,
          String(mount.status.catalogue.datasets),
          formatSize(mount.status.cache.bytes),
          String(mount.status.pid),
          mount.status.catalogue.repository,
        ]
      : [mount.mountPoint, 'unserved', '-', '-', '-', mount.repository],
  );
  const heading = ['MOUNT POINT', 'STATE', 'DATASETS', 'CACHED', 'PID', 'REPOSITORY'];
  return formatTable(
    heading,
    rows.map((row) => row.map(printable)),
    new Set([2, 3, 4]),
  );
}

/** `name: text` lines. */
export function describeOne(mount: SeenMount): string {
  const facts =
    mount.kind === 'served'
      ? factsOf(mount.status)
      : [
          ['mount point', mount.mountPoint],
          ['repository', mount.repository],
          ['state', `unserved: ${mount.problem}`],
        ];
  const width = Math.max(...facts.map(([name]) => name.length)) + 2;
  return facts.map(([name, text]) => `${`${name}:`.padEnd(width)}${printable(text)}\n`).join('');
}

function factsOf(status: MountStatus): (readonly [string, string])[] {
  const { catalogue, cache, kernel, memory } = status;
  const requests = Object.values(kernel.requests).reduce((sum, count) => sum + count, 0);
  const described =
    status.transport === 'libfuse' ? 'through libfuse' : `protocol ${kernel.protocol}, passthrough ${kernel.passthrough ? 'on' : 'off'}`;
  const failures = `${cache.failures} failed, ${cache.wrongDigest + cache.wrongSize} failed their check`;
  return [
    ['mount point', status.mountPoint],
    ['repository', catalogue.repository],
    ['state', status.problem === undefined ? status.state : `${status.state}: ${status.problem}`],
    [
      'daemon',
      `pid ${status.pid}, since ${instant(status.mountedAt)}, ${formatSize(memory.resident)} (at most ${formatSize(memory.peak)})`,
    ],
    ['search path', status.searchPath.join(', ')],
    [
      'defaults',
      Object.entries(status.defaults)
        .map((entry) => entry.join('='))
        .join(' ') || 'none',
    ],
    ['catalogue', `version ${catalogue.version}, ${catalogue.datasets} datasets, read ${instant(catalogue.readAt)}`],
    ...(status.walk === undefined ? [] : [['reading', describeWalk(status.walk)] as const]),
    ...warningFacts(status.warnings),
    ...(status.publication === undefined
      ? []
      : [
          [
            'published',
            `serial ${status.publication.serial} of ${status.publication.time}, signed by ${status.publication.keyId}`,
          ] as const,
        ]),
    ['cache', `${formatSize(cache.bytes)} of ${formatSize(cache.limit)} in ${cache.directory}`],
    ...cacheFacts(cache),
    ['fetches', `${cache.fetches} (${formatSize(cache.fetchedBytes)}), ${failures}, ${cache.inFlight} under way`],
    ['kernel', `${described}, ${requests} requests, ${kernel.open} files open, ${kernel.waiting} waiting`],
    ...(status.mirrors ?? []).map((mirror) => ['mirror', describeMirror(mirror)] as const),
    ['log', status.logFile ?? 'standard error'],
    ...status.errors.slice(-5).map((error) => ['error', `${instant(error.at)} ${error.path}: ${error.message}`] as const),
  ];
}

function describeWalk({ progress, problem }: NonNullable<MountStatus['walk']>): string {
  return `${progress}; what is not read yet is looked for when it is asked for${problem === undefined ? '' : `; stopped: ${problem}`}`;
}

/** Of many warnings as many as a screen bears. */
function warningFacts({ count, first }: MountStatus['warnings']): (readonly [string, string])[] {
  const shown = first.slice(0, 5).map((message) => ['warning', message] as const);
  return count > shown.length ? [...shown, ['warning', `and ${count - shown.length} more; see the log`]] : shown;
}

function cacheFacts(cache: CacheStatistics): (readonly [string, string])[] {
  const facts: (readonly [string, string])[] = [];
  if (cache.degraded !== null) facts.push(['cache state', `degraded, reads go past it: ${cache.degraded}`]);
  const used = [`${cache.hits} hits`, `${cache.misses} misses`, `${cache.evictions} evicted`];
  if (cache.kept > 0) used.push(`${cache.kept} kept (${formatSize(cache.keptBytes)})`);
  if (cache.quarantined > 0) used.push(`${cache.quarantined} damaged and set aside`);
  facts.push(['cache use', used.join(', ')]);
  if (cache.free !== null && cache.floor !== null)
    facts.push(['disk', `${formatSize(cache.free)} free, ${formatSize(cache.floor)} stay free`]);
  if (cache.quota !== null) facts.push(['quota', `${formatSize(cache.brought)} of ${formatSize(cache.quota)}`]);
  const { scrub } = cache;
  if (scrub !== null) {
    const last = scrub.finished === null ? '' : `, last finished ${instant(scrub.finished)}`;
    facts.push(['scrub', `${Math.floor(scrub.progress * 100)} % of this round${last}, ${scrub.damaged} damaged`]);
  }
  return facts;
}

function describeMirror({ url, failures, restsUntil, latency, throughput, problem }: MirrorHealth): string {
  const pace = [
    latency === null ? undefined : `answers in ${Math.round(latency)} ms`,
    throughput === null ? undefined : `${formatSize(Math.round(throughput))}/s`,
  ].filter((text) => text !== undefined);
  if (restsUntil === null) return `${url}: ${['ok', ...pace].join(', ')}`;
  const times = failures === 1 ? 'failed' : `failed ${failures} times in a row`;
  const next = restsUntil > Date.now() ? `, others are asked first until ${instant(restsUntil)}` : '';
  return `${url}: ${times}${next}${problem === null ? '' : `: ${problem}`}`;
}

function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
}
