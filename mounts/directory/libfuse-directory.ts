/** A mounted plain directory through libfuse: served on this process's main thread. */

import { asButlerfsError, type ButlerfsError } from '../../common/errors.js';
import { BackingDirectory } from '../../fs/directory/backing-directory.js';
import { LibfuseMount } from '../../fs/libfuse/mount.js';
import { runErrand } from '../../fs/run-errand.js';
import { waitFor } from '../waiting.js';
import type { DirectoryMountOptions, DirectoryStatistics, MountedDirectory } from './contract.js';

/** Seconds for which the kernel may keep names where others change the directory; else for as long as it likes. */
const SHARED_SECONDS = 1;
const EXCLUSIVE_SECONDS = 86_400;

export class LibfuseDirectoryMount implements MountedDirectory {
  readonly options: DirectoryMountOptions;
  readonly ended: Promise<void>;
  readonly #directory: BackingDirectory;
  readonly #mount: LibfuseMount;
  #unmounting: Promise<void> | undefined;

  private constructor(options: DirectoryMountOptions, directory: BackingDirectory, mount: LibfuseMount) {
    this.options = options;
    this.#directory = directory;
    this.#mount = mount;
    this.ended = mount.ended.then(() => {
      directory.close();
    });
  }

  /** Rejects, with nothing left mounted, where the directory cannot be opened or the mount fails. */
  static async mount(options: DirectoryMountOptions, onError: (error: ButlerfsError) => void): Promise<LibfuseDirectoryMount> {
    const { backing, exclusive, mountPoint, allowOther, trusted, deadline, name } = options;
    const directory = new BackingDirectory({
      root: backing,
      exclusive,
      ownsThread: false,
      locks: 'kernel',
      errands: { run: (errand) => waitFor(() => runErrand(errand)) },
    });
    const nameSeconds = exclusive ? EXCLUSIVE_SECONDS : SHARED_SECONDS;
    try {
      const mount = await LibfuseMount.attach({
        fileSystem: directory,
        mountPoint,
        name: name ?? backing,
        allowOther,
        readOnly: false,
        trusted: trusted ?? false,
        nameSeconds,
        absenceSeconds: nameSeconds,
        // Two links of one file are two files to libfuse: what changes through one must be seen through the other.
        attributeSeconds: 0,
        ...(deadline === undefined ? {} : { deadline }),
        onError: (error) => onError(asButlerfsError(error)),
      });
      return new LibfuseDirectoryMount(options, directory, mount);
    } catch (error) {
      directory.close();
      throw error;
    }
  }

  /** Names that are remembered only to be found again sooner are forgotten first: they are not held for anybody. */
  statistics(): Promise<DirectoryStatistics> {
    this.#mount.forgetUnused();
    const { open, waiting } = this.#mount;
    const statistics = { protocol: 'libfuse', passthrough: false, requests: this.#mount.counts(), open, waiting, ...this.#directory.held };
    return Promise.resolve(statistics);
  }

  unmount(): Promise<void> {
    this.#unmounting ??= this.#mount.detach().then(() => this.ended);
    return this.#unmounting;
  }
}
