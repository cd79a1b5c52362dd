/** Attaching a file system to a directory and detaching it: mount(2) for root, fusermount3 for everybody else. */

import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { ButlerfsError } from '../../common/errors.js';
import { socketPair } from '../../common/socket-pair.js';
import { errnoName, mount as systemMount, receiveDescriptor, setNonBlocking, umount } from './native.js';

export interface AttachOptions {
  /** Absolute path of an existing directory. */
  readonly mountPoint: string;
  /** Shown as the device in mount(8) and df(1); must not carry credentials. */
  readonly name: string;
  /** Whether users other than the caller may look in. Needs `user_allow_other` in /etc/fuse.conf where the caller is not root. */
  readonly allowOther: boolean;
  readonly readOnly: boolean;
  /** Whether set-user-ID programs and device files on it work; root only. */
  readonly trusted?: boolean;
}

const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOATIME = 1024;
/** Largest read that the kernel asks for, bytes. */
const MAX_READ = 1 << 20;

/** Longest wait for fusermount3, in milliseconds. */
const HELPER_DEADLINE = 10_000;

/**
 * Mounts and returns the descriptor of /dev/fuse on which the kernel's requests arrive, non-blocking; the caller closes it.
 * Rejects with `mount-failed`, whose message says what is missing.
 */
export async function attach(options: AttachOptions): Promise<number> {
  const fd = process.getuid?.() === 0 ? attachAsRoot(options) : await attachThroughHelper(options);
  setNonBlocking(fd);
  return fd;
}

/** Unmounts; `lazy` also where files are open. Rejects with `not-mounted` or `mount-failed`. */
export async function detach(mountPoint: string, { lazy }: { readonly lazy: boolean }): Promise<void> {
  if (process.getuid?.() === 0) {
    const errno = umount(mountPoint, lazy);
    if (errno !== 0) throw detachError(mountPoint, errnoName(errno));
    return;
  }
  const { status, stderr } = await runHelper(['-u', ...(lazy ? ['-z'] : []), '--', mountPoint]);
  if (status === 0) return;
  if (/not mounted|not found|Invalid argument/i.test(stderr)) throw detachError(mountPoint, 'EINVAL');
  throw detachError(mountPoint, /busy/i.test(stderr) ? 'EBUSY' : stderr.trim());
}

function detachError(mountPoint: string, why: string): ButlerfsError {
  const what = `unmounting '${mountPoint}'`;
  if (why === 'EINVAL' || why === 'ENOENT') return new ButlerfsError('not-mounted', { what, why: 'nothing is mounted there' });
  if (why === 'EBUSY') {
    return new ButlerfsError('mount-failed', { what, why: 'files on it are in use', advice: 'close them, or unmount lazily with --lazy' });
  }
  return new ButlerfsError('mount-failed', { what, why });
}

function attachAsRoot({ mountPoint, name, allowOther, readOnly, trusted }: AttachOptions): number {
  const fd = openDevice();
  const data = [
    `fd=${fd}`,
    'rootmode=40000',
    `user_id=${process.getuid?.() ?? 0}`,
    `group_id=${process.getgid?.() ?? 0}`,
    'default_permissions',
    `max_read=${MAX_READ}`,
    ...(allowOther ? ['allow_other'] : []),
  ].join(',');
  const flags = (readOnly ? MS_RDONLY : 0) | (trusted === true ? 0 : MS_NOSUID | MS_NODEV) | MS_NOATIME;
  const errno = systemMount(name, mountPoint, 'fuse.butlerfs', flags, data);
  if (errno === 0) return fd;
  closeSync(fd);
  const why = errnoName(errno);
  const advice =
    why === 'EPERM'
      ? 'mounting needs the capability CAP_SYS_ADMIN: start the container with it, or mount outside'
      : why === 'ENODEV'
        ? 'this kernel has no FUSE: load it with modprobe fuse'
        : why === 'EINVAL'
          ? 'check that /dev/fuse is the device of FUSE (character device 10, 229)'
          : undefined;
  throw new ButlerfsError('mount-failed', { what: `mounting on '${mountPoint}'`, why, advice });
}

function openDevice(): number {
  try {
    return openSync('/dev/fuse', 'r+');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'EIO';
    const missing = code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO';
    throw new ButlerfsError('mount-failed', {
      what: "opening '/dev/fuse'",
      why: missing ? 'it is not there' : code === 'EACCES' || code === 'EPERM' ? 'permission denied' : code,
      advice: missing
        ? 'load the kernel module with modprobe fuse, or give the container --device /dev/fuse'
        : 'ask the administrator for read and write permission on /dev/fuse, or give the container --device /dev/fuse',
      cause,
    });
  }
}

async function attachThroughHelper({ mountPoint, name, allowOther, readOnly }: AttachOptions): Promise<number> {
  const [ours, theirs] = socketPair();
  try {
    const options = [
      `${readOnly ? 'ro' : 'rw'},nosuid,nodev,noatime,default_permissions,max_read=${MAX_READ},subtype=butlerfs`,
      `fsname=${name.replace(/[\\,]/g, (character) => `\\${character}`)}`,
      ...(allowOther ? ['allow_other'] : []),
    ].join(',');
    const { status, stderr } = await runHelper(['-o', options, '--', mountPoint], theirs);
    if (status !== 0) throw helperError(mountPoint, stderr);
    const fd = receiveDescriptor(ours);
    if (fd === undefined) throw helperError(mountPoint, 'fusermount3 sent no descriptor');
    return fd;
  } finally {
    closeSync(ours);
    closeSync(theirs);
  }
}

function helperError(mountPoint: string, stderr: string): ButlerfsError {
  const said =
    stderr
      .trim()
      .replace(/^fusermount3: /, '')
      .split('\n')[0] ?? '';
  const advice = /user_allow_other/.test(stderr)
    ? "add the line 'user_allow_other' to /etc/fuse.conf, or mount without allow_other"
    : /\/dev\/fuse/.test(stderr)
      ? 'load the kernel module with modprobe fuse, or ask the administrator for permission on /dev/fuse'
      : undefined;
  return new ButlerfsError('mount-failed', { what: `mounting on '${mountPoint}'`, why: said === '' ? 'fusermount3 failed' : said, advice });
}

/** Runs fusermount3; `socket` becomes its descriptor 3, over which it sends that of /dev/fuse. */
function runHelper(args: readonly string[], socket?: number): Promise<{ status: number; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('fusermount3', args, {
      stdio: ['ignore', 'ignore', 'pipe', ...(socket === undefined ? [] : [socket])],
      env: { ...process.env, ...(socket === undefined ? {} : { _FUSE_COMMFD: '3' }) },
      timeout: HELPER_DEADLINE,
    });
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', (cause) => {
      reject(
        new ButlerfsError('mount-failed', {
          what: 'running fusermount3',
          why: 'it is not installed',
          advice: 'install the package fuse3, or mount as root',
          cause,
        }),
      );
    });
    child.on('close', (code) => {
      resolve({ status: code ?? 1, stderr });
    });
  });
}
