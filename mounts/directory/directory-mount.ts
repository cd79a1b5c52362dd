/** A mounted plain directory: through libfuse, or by a thread that serves it and hands errands over. */

import { asButlerfsError, ButlerfsError, deserializeError, errnoOf } from '../../common/errors.js';
import { attach, detach } from '../../fs/kernel/mount.js';
import { runErrand } from '../../fs/run-errand.js';
import { KernelThread } from '../kernel-thread.js';
import { raiseReadahead } from '../readahead.js';
import { clearDeadMounts } from '../stale.js';
import type { DirectoryMountOptions, DirectoryStatistics, MountedDirectory } from './contract.js';
import { LibfuseDirectoryMount } from './libfuse-directory.js';
import type { DirectoryThreadSettings, FromDirectoryThread, ToDirectoryThread } from './messages.js';

/** Milliseconds for the thread to say its numbers. */
const STATISTICS_DEADLINE = 5_000;

/**
 * What a dead daemon left at the mount point goes first. Rejects, with nothing left mounted, where the directory cannot be opened or the mount fails.
 * `onError`: told of failures while it is served.
 */
export async function mountDirectory(options: DirectoryMountOptions, onError: (error: ButlerfsError) => void): Promise<MountedDirectory> {
  await clearDeadMounts(options.mountPoint, (mountPoint) => detach(mountPoint, { lazy: true }));
  if (options.transport === 'libfuse') return await LibfuseDirectoryMount.mount(options, onError);
  const mounted = new KernelDirectoryMount(options, onError);
  await mounted.start();
  return mounted;
}

class KernelDirectoryMount implements MountedDirectory {
  readonly options: DirectoryMountOptions;
  readonly ended: Promise<void>;
  readonly #thread: KernelThread<ToDirectoryThread, FromDirectoryThread>;
  readonly #statistics = new Map<number, (statistics: DirectoryStatistics) => void>();
  readonly #ready: Promise<void>;
  readonly #onError: (error: ButlerfsError) => void;
  #becomeReady!: () => void;
  #fail!: (error: unknown) => void;
  #nextToken = 1;
  #unmounting: Promise<void> | undefined;

  constructor(options: DirectoryMountOptions, onError: (error: ButlerfsError) => void) {
    this.options = options;
    this.#onError = onError;
    this.#ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve;
      this.#fail = reject;
    });
    this.#thread = new KernelThread({
      module: 'mounts/directory/directory-thread.js',
      settings: { options } satisfies DirectoryThreadSettings,
      onMessage: (message) => {
        this.#hear(message);
      },
      onError: (error) => {
        this.#fail(error);
        onError(asButlerfsError(error));
      },
    });
    this.ended = this.#thread.ended;
  }

  async start(): Promise<void> {
    const { mountPoint, backing, name, allowOther, trusted } = this.options;
    await this.#ready;
    let isAttached = false;
    try {
      const device = await attach({ mountPoint, name: name ?? backing, allowOther, readOnly: false, trusted: trusted ?? false });
      isAttached = true;
      this.#thread.own(device);
      this.#thread.tell({ kind: 'serve', device });
      await raiseReadahead(mountPoint);
    } catch (error) {
      if (isAttached) await detach(mountPoint, { lazy: true }).catch(() => undefined);
      this.#thread.tell({ kind: 'stop' });
      await this.ended;
      throw error;
    }
  }

  statistics(): Promise<DirectoryStatistics> {
    const token = this.#nextToken++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#statistics.delete(token);
        reject(new ButlerfsError('internal', { what: 'asking the thread that serves the directory', why: 'it did not answer' }));
      }, STATISTICS_DEADLINE);
      this.#statistics.set(token, (statistics) => {
        clearTimeout(timer);
        resolve(statistics);
      });
      this.#thread.tell({ kind: 'statistics', token });
    });
  }

  unmount(): Promise<void> {
    this.#unmounting ??= this.#unmount();
    return this.#unmounting;
  }

  async #unmount(): Promise<void> {
    if (!this.#thread.hasEnded) {
      await detach(this.options.mountPoint, { lazy: true }).catch((error: unknown) => {
        if (asButlerfsError(error).code !== 'not-mounted') throw error;
      });
    }
    await this.ended;
  }

  #hear(message: FromDirectoryThread): void {
    switch (message.kind) {
      case 'ready':
        this.#becomeReady();
        break;
      case 'unusable':
        this.#fail(deserializeError(message.error));
        break;
      case 'errand':
        runErrand(message.errand).then(
          (value) => {
            this.#thread.tell({ kind: 'done', token: message.token, value });
          },
          (error: unknown) => {
            this.#thread.tell({ kind: 'failed', token: message.token, errno: errnoOf(error) });
          },
        );
        break;
      case 'statistics':
        this.#statistics.get(message.token)?.(message.statistics);
        this.#statistics.delete(message.token);
        break;
      case 'error':
        this.#onError(deserializeError(message.error));
        break;
    }
  }
}
