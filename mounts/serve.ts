/** Serves one mount from start to end, in this process: what the daemon does, and `butlerfs mount --foreground`. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ButlerfsError } from '../common/errors.js';
import { detach } from '../fs/detach.js';
import { loadConfiguration } from './configuration.js';
import { serveControl } from './control.js';
import { ensurePrivateDirectory, mountName } from './directories.js';
import { explainOn } from './explain.js';
import { mountRepository } from './mount.js';
import { openSource } from './source.js';
import { prepareMountPoint } from './stale.js';
import { removeMountState, startTimeOf, writeMountState } from './state.js';
import type { Mounted, MountOptions } from './contract.js';
import type { Directories } from './directories.js';
import type { MountLog } from './log.js';
import type { OpenedSource } from './source.js';
import type { MountState } from './state.js';

export interface ServeSettings {
  readonly directories: Directories;
  readonly log: MountLog;
  /** Told what is being done before the mount answers: overwritten by the next line. */
  readonly onProgress: (line: string) => void;
  /** Told of what the user must know though the mount goes on. */
  readonly onRemark: (line: string) => void;
  /** Called once when the mount is there and can be controlled. */
  readonly onReady: () => void;
  /** Ends the mount. */
  readonly signal: AbortSignal;
}

/** Resolves when the mount has ended, whoever ended it. Rejects where it could not be made; nothing is left mounted then. */
export async function serveMount(options: MountOptions, settings: ServeSettings): Promise<void> {
  const { directories, log, signal } = settings;
  const remark = (line: string): void => {
    log.logger.warn(line);
    settings.onRemark(line);
  };
  await ensurePrivateDirectory(directories.runtime);
  const unmount = (mountPoint: string): Promise<void> => detach(mountPoint, { lazy: true });
  await prepareMountPoint(options.mountPoint, { mountStates: directories.mountStates, unmount, say: remark });
  const opened = await openSource(options.source, await sourceSettings(options, settings, remark), { signal });
  try {
    if (opened.problem !== undefined) remark(`the origin does not answer, the mount shows what was catalogued: ${opened.problem.message}`);
    const mounted = await mountRepository(options, opened, { log: log.logger, logFile: log.file, remark });
    await serveUntilEnded(mounted, opened, settings);
  } finally {
    await opened.close();
  }
}

async function sourceSettings(options: MountOptions, { directories, log, onProgress }: ServeSettings, warn: (line: string) => void) {
  const { cacheDirectory, publicKey, deadline, idleTimeout, offline, mirrors, rateLimit, caFile } = options;
  const configuration = await loadConfiguration(directories.configurationFiles);
  const network = { deadline, idleTimeout, mirrors, rateLimit, caFile };
  const onWarning = (message: string): void => log.logger.warn(message);
  return { cacheDirectory, publicKey, offline, configuration, lazy: true, onProgress, warn, onWarning, ...network };
}

async function serveUntilEnded(
  mounted: Mounted,
  opened: OpenedSource,
  { directories, log, onReady, signal }: ServeSettings,
): Promise<void> {
  const { options } = mounted;
  const socket = join(directories.runtime, `${mountName(options.mountPoint)}.sock`);
  const state: MountState = {
    mountPoint: options.mountPoint,
    repository: opened.repository,
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
    mountedAt: Date.now(),
    socket,
    logFile: log.file,
    catalogueDirectory: opened.catalogueDirectory,
    collections: [...options.collections],
    ...(options.calibrations === undefined ? {} : { calibrations: copied(options.calibrations) }),
    defaults: { ...options.defaults },
    aliases: { ...options.aliases },
    ...(options.flavors === undefined ? {} : { flavors: options.flavors }),
  };
  const end = (): void => {
    log.logger.info({ reason: String(signal.reason) }, 'ending');
    mounted.unmount().catch((error: unknown) => log.logger.error({ err: error }, 'cannot unmount'));
  };
  try {
    const explain = (path: string): Promise<string> => explainOn(state, path);
    const control = await serveControl(socket, { mounted, explain });
    try {
      await writeMountState(directories.mountStates, state);
      if (signal.aborted) throw new ButlerfsError('interrupted', { what: 'the mount was interrupted' });
      signal.addEventListener('abort', end, { once: true });
      onReady();
      log.logger.info({ repository: opened.repository, mountPoint: options.mountPoint, pid: process.pid }, 'mounted');
      await mounted.ended;
      log.logger.info('ended');
    } finally {
      signal.removeEventListener('abort', end);
      await removeMountState(directories.mountStates, state);
      await control.close();
      await rm(socket, { force: true });
    }
  } finally {
    await mounted.unmount();
  }
}

function copied(lists: Readonly<Record<string, readonly string[]>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, [...list]]));
}
