/** Mounting a plain writable directory: what is below it on a local disk, as it is, through the same engine as a repository. */

export interface DirectoryMountOptions {
  /** Absolute path of the directory that is served. */
  readonly backing: string;
  /** Absolute path of an existing directory. */
  readonly mountPoint: string;
  /** What mount(8) and df(1) show as the device; absent: the directory. */
  readonly name?: string;
  readonly allowOther: boolean;
  /** Whether nobody else changes the directory while it is mounted: see BackingDirectory. */
  readonly exclusive: boolean;
  readonly transport: 'kernel' | 'libfuse';
  /** Who keeps locks: see BackingDirectory. Default: the kernel. */
  readonly locks?: 'kernel' | 'here';
  /** Whether set-user-ID programs and device files on it work; root only. */
  readonly trusted?: boolean;
  /** Milliseconds after which a wait is given up with ETIMEDOUT. */
  readonly deadline?: number;
  /** False: the kernel sends every read and write, also where it could do them by itself. */
  readonly passthrough?: boolean;
}

/** Counters of a mounted directory. */
export interface DirectoryStatistics {
  readonly protocol: string;
  readonly passthrough: boolean;
  readonly requests: Readonly<Record<string, number>>;
  /** Inodes that the kernel knows, descriptors held for them, files open (by the kernel; by the file system), locks held, operations that wait. */
  readonly inodes: number;
  readonly descriptors: number;
  readonly open: number;
  readonly files: number;
  readonly locks: number;
  readonly waiting: number;
}

export interface MountedDirectory {
  readonly options: DirectoryMountOptions;
  statistics(): Promise<DirectoryStatistics>;
  /** Unmounts (lazily: open files stay usable until closed) and resolves when all is closed. Idempotent. */
  unmount(): Promise<void>;
  /** Resolves when the mount has ended, whoever ended it. */
  readonly ended: Promise<void>;
}
