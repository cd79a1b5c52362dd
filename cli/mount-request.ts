/** Mounting, shared by `butlerfs mount` and mount.fuse.butlerfs. */

import { ButlerfsError } from '../common/errors.js';
import { detach } from '../fs/detach.js';
import { loadConfiguration } from '../mounts/configuration.js';
import { startDaemon } from '../mounts/daemon.js';
import { findDirectories } from '../mounts/directories.js';
import { canonicalMountPoint } from '../mounts/mountinfo.js';
import { resolveMountOptions } from '../mounts/options.js';
import { prepareMountPoint } from '../mounts/stale.js';
import { interruptSignal } from './exit.js';
import { endProgress, remark, showProgress } from './output.js';
import type { MountOptions } from '../mounts/contract.js';
import type { MountRequest } from '../mounts/options.js';

/** Checks a request against the configuration; the mount point without symbolic links. */
export async function prepareOptions(request: MountRequest): Promise<MountOptions> {
  const directories = findDirectories();
  const configuration = await loadConfiguration(directories.configurationFiles);
  const options = resolveMountOptions(request, configuration, directories.cache);
  return { ...options, mountPoint: await canonicalMountPoint(options.mountPoint) };
}

/** Returns when the mount answers. */
export async function mountInBackground(options: MountOptions): Promise<void> {
  const directories = findDirectories();
  const onRemark = (line: string): void => {
    endProgress();
    remark(line);
  };
  // What can be said at once is said before a process is started.
  await prepareMountPoint(options.mountPoint, {
    mountStates: directories.mountStates,
    unmount: (mountPoint) => detach(mountPoint, { lazy: true }),
    say: onRemark,
  });
  await startDaemon(options, { directories, onProgress: showProgress, onRemark, signal: interruptSignal() });
  endProgress();
}

/** Stays until the mount has ended. */
export async function mountInForeground(options: MountOptions): Promise<void> {
  const [{ serveMount }, { serveSignals }, { openTerminalLog }] = await Promise.all([
    import('../mounts/serve.js'),
    import('../mounts/signals.js'),
    import('../mounts/log.js'),
  ]);
  const log = openTerminalLog(options.logLevel);
  const { signal } = serveSignals(() => log.reopen());
  let isReady = false;
  try {
    await serveMount(options, {
      directories: findDirectories(),
      log,
      signal,
      onProgress: showProgress,
      onRemark: () => undefined,
      onReady: () => {
        isReady = true;
        endProgress();
      },
    });
  } catch (error) {
    if (!isReady && signal.aborted)
      throw new ButlerfsError('interrupted', { what: `mounting ${options.mountPoint} was interrupted`, cause: error });
    throw error;
  }
}
