/**
 * Creating on behalf of a caller: what is made belongs to the caller, as the file system below sees it (groups of set-group-ID directories, quotas, default
 * access lists). Only the calling thread is changed, and only for as long as it takes.
 *
 * Permissions were checked by the kernel above (default_permissions), which knows the caller's supplementary groups; the capabilities that a change of
 * the file-system user takes away are therefore raised again: setfsuid(2), capabilities(7).
 */

import koffi from 'koffi';
import { readFileSync } from 'node:fs';
import type { Caller } from '../contract.js';

const libc = koffi.load('libc.so.6');
const setfsuid = libc.func('int setfsuid(unsigned int uid)') as (uid: number) => number;
const setfsgid = libc.func('int setfsgid(unsigned int gid)') as (gid: number) => number;
const capget = libc.func('int capget(void *header, void *data)') as (header: Buffer, data: Buffer) => number;
const capset = libc.func('int capset(void *header, void *data)') as (header: Buffer, data: Buffer) => number;
const cUmask = libc.func('int umask(int mask)') as (mask: number) => number;
const unshare = libc.func('int unshare(int flags)') as (flags: number) => number;

const CLONE_FS = 0x200;
/** _LINUX_CAPABILITY_VERSION_3: two sets of three 32-bit words (effective, permitted, inheritable). */
const CAPABILITY_VERSION = 0x20080522;

export class Credentials {
  readonly #uid = process.geteuid?.() ?? 0;
  readonly #gid = process.getegid?.() ?? 0;
  /** Whether this process may act for others. */
  readonly #mayChange = this.#uid === 0;
  readonly #header = Buffer.alloc(8);
  /** All that is permitted, effective. */
  readonly #capabilities = Buffer.alloc(24);
  #umask: number;

  /**
   * `ownsThread`: the calling thread is used by nothing else, and gets a umask of its own; else the umask of the process is changed.
   * Callers without an identity (uid -1) act as this process.
   */
  constructor(ownsThread: boolean) {
    if (ownsThread) unshare(CLONE_FS);
    this.#umask = 0;
    cUmask(0);
    this.#header.writeUInt32LE(CAPABILITY_VERSION, 0);
    if (!this.#mayChange || capget(this.#header, this.#capabilities) !== 0) return;
    this.#capabilities.copy(this.#capabilities, 0, 4, 8);
    this.#capabilities.copy(this.#capabilities, 12, 16, 20);
  }

  /** Runs `make` as the caller, with its umask. */
  as<T>({ uid, gid, umask }: Caller, make: () => T): T {
    if (umask !== this.#umask) {
      cUmask(umask);
      this.#umask = umask;
    }
    const isOther = this.#mayChange && uid !== -1 && (uid !== this.#uid || gid !== this.#gid);
    if (!isOther) return make();
    setfsgid(gid >>> 0);
    setfsuid(uid >>> 0);
    if (uid !== 0) capset(this.#header, this.#capabilities);
    try {
      return make();
    } finally {
      // Going back to root raises what was taken away.
      setfsuid(this.#uid);
      setfsgid(this.#gid);
    }
  }
}

/** Whether a caller, who waits for an answer, is a member of a group: also by its supplementary groups, which only proc(5) tells. */
export function isMember({ gid, pid }: Caller, group: number): boolean {
  if (gid === group) return true;
  try {
    return supplementaryGroups(readFileSync(`/proc/${pid}/status`, 'utf8')).includes(group);
  } catch {
    // Gone, or of another namespace.
    return false;
  }
}

/** From the text of /proc/PID/status. */
export function supplementaryGroups(status: string): number[] {
  const groups = /^Groups:(.*)$/m.exec(status)?.[1] ?? '';
  return groups.split(/\s+/).flatMap((word) => (/^\d+$/.test(word) ? [Number(word)] : []));
}
