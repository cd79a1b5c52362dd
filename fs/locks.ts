/** Locks of fcntl(2) and flock(2), kept for a kernel that asks for them (GETLK, SETLK, SETLKW). Decisions are those of Linux's own fs/locks.c. */

import { Errno, systemCallError } from '../common/errors.js';
import type { FileLock, LockRequest, NodeId, Outcome, Waiting } from './contract.js';

/** The last byte that a lock can name. It stands for the end of the file, however long that is. */
export const LAST_BYTE = 2n ** 63n - 1n;

interface Held extends FileLock {
  readonly type: 'read' | 'write';
  readonly owner: bigint;
}

interface Inode {
  readonly node: NodeId;
  /** Of fcntl(2), by rising start. Those of one owner do not overlap, and touch only where their types differ. */
  records: readonly Held[];
  /** Of flock(2), one of an owner at most. */
  flocks: readonly Held[];
  /** In order of arrival. */
  readonly waiters: Set<Waiter>;
}

interface Waiter {
  readonly inode: Inode;
  readonly request: LockRequest;
  readonly settle: (outcome: Outcome<void>) => void;
}

/**
 * The locks of all inodes of one file system. Record locks and flocks do not see each other.
 *
 * A request competes with the locks that are held, not with those that wait, as on Linux: whoever asks when a lock is free has it. Those that wait are retried
 * in order of arrival whenever a lock of the inode ends or gets weaker, so that of two that want the same the one that came first gets it.
 *
 * Waits are settled inside the call that frees the lock, or inside their own `begin`. What they settle may call this table again, and must not throw.
 */
export class LockTable {
  readonly #inodes = new Map<NodeId, Inode>();
  /** Who waits for a record lock, by owner: the way on for a search for deadlocks. */
  readonly #waitersOf = new Map<bigint, Set<Waiter>>();

  /** Locks held: for one owner, one for each run of bytes with the same type. */
  get size(): number {
    return [...this.#inodes.values()].reduce((sum, { records, flocks }) => sum + records.length + flocks.length, 0);
  }

  /** Requests that wait. */
  get waiting(): number {
    return [...this.#inodes.values()].reduce((sum, { waiters }) => sum + waiters.size, 0);
  }

  /** Inodes that something is kept for: those with locks or waiters. */
  get nodes(): number {
    return this.#inodes.size;
  }

  /**
   * The lock of another owner that the one asked for conflicts with, of several the one with the lowest start; else one of type `none` with the range asked
   * and pid 0. A request of type `none` finds any lock of another owner (F_OFD_GETLK). Throws EINVAL for a range outside 0..2^63-1 or one
   * that ends before it starts.
   */
  get(node: NodeId, request: LockRequest): FileLock {
    const wanted = checked(request);
    const inode = this.#inodes.get(node);
    const found = inode && heldIn(inode, wanted).find((held) => excludes(held, wanted));
    const { type, start, end, pid } = found ?? { ...wanted.lock, type: 'none', pid: 0 };
    return { type, start, end, pid };
  }

  /**
   * Locks, unlocks, or changes the type of a range; a flock always has the whole file.
   * Throws EINVAL as {@link get} does; EAGAIN for a conflict, unless `wait` is set; EDEADLK where owners of record locks would wait for each other in a circle,
   * which a wait may also end with. What a wait ends with otherwise is the lock.
   * A flock of another type is given up before the new one is asked for, as on Linux: it is lost where the new one is refused, or its wait aborted.
   */
  set(node: NodeId, request: LockRequest, wait: boolean): void | Waiting<void> {
    const wanted = checked(request);
    const inode = this.#inode(node);
    const { granted, freed } = attempt(inode, wanted);
    if (freed) this.#retry(inode);
    this.#tidy(inode);
    if (granted) return;
    if (!wait) throw systemCallError(Errno.EAGAIN);
    if (this.#wouldDeadlock(inode, wanted)) throw systemCallError(Errno.EDEADLK);
    return this.#wait(node, wanted);
  }

  /**
   * Ends all record locks of the owner on the inode (FLUSH), or its flock (RELEASE with a lock owner). Waits for record locks go on: another thread of the
   * process may wait on another descriptor, and one that was killed has been aborted before. A wait for a flock, whose descriptor is gone, ends with EBADF.
   */
  releaseOwner(node: NodeId, owner: bigint, isFlock: boolean): void {
    const inode = this.#inodes.get(node);
    if (inode === undefined) return;
    const { freed } = attempt(inode, { lock: { type: 'none', start: 0n, end: LAST_BYTE, pid: 0 }, owner, isFlock });
    if (isFlock) this.#refuse(inode, ({ request }) => request.isFlock && request.owner === owner);
    if (freed) this.#retry(inode);
    this.#tidy(inode);
  }

  /** The inode was forgotten: its locks end, and waits for them, which the kernel does not leave behind, end with EBADF. */
  drop(node: NodeId): void {
    const inode = this.#inodes.get(node);
    if (inode === undefined) return;
    this.#inodes.delete(node);
    this.#refuse(inode, () => true);
  }

  #wait(node: NodeId, request: LockRequest): Waiting<void> {
    let waiter: Waiter | undefined;
    return {
      begin: (settle) => {
        const inode = this.#inode(node);
        waiter = { inode, request, settle };
        this.#enqueue(waiter);
        // The lock may have become free since set() looked.
        this.#retry(inode, [waiter]);
      },
      abort: () => {
        if (waiter !== undefined) this.#dequeue(waiter);
      },
      deadline: Infinity,
    };
  }

  /**
   * Grants what can be granted of `waiters`. Waiters that go and come while they are walked through, because one that was settled called back, are left out
   * and taken in by the set's iterator.
   */
  #retry(inode: Inode, waiters: Iterable<Waiter> = inode.waiters): void {
    for (const waiter of waiters) {
      const { granted, freed } = attempt(inode, waiter.request);
      if (granted) this.#settle(waiter, { value: undefined });
      // Another thread of the owner that it now waits for may wait for this one.
      else if (this.#wouldDeadlock(inode, waiter.request)) this.#settle(waiter, { error: systemCallError(Errno.EDEADLK) });
      // A grant that made another lock of the owner weaker: perhaps for one that came earlier.
      if (freed) return this.#retry(inode);
    }
  }

  #refuse(inode: Inode, which: (waiter: Waiter) => boolean): void {
    for (const waiter of inode.waiters) if (which(waiter)) this.#settle(waiter, { error: systemCallError(Errno.EBADF) });
  }

  #settle(waiter: Waiter, outcome: Outcome<void>): void {
    this.#dequeue(waiter);
    waiter.settle(outcome);
  }

  /**
   * Whether the owner would wait for itself: for one that waits, perhaps over more of them, for a lock that it holds. Owners are taken to do nothing but
   * wait while they wait, which is not so for processes with threads; Linux takes them so too.
   */
  #wouldDeadlock(inode: Inode, request: LockRequest): boolean {
    if (request.isFlock) return false;
    const owners = new Set(blockers(inode, request));
    // The loop comes to those that are added within it, too.
    for (const owner of owners) {
      if (owner === request.owner) return true;
      for (const waiter of this.#waitersOf.get(owner) ?? []) {
        for (const next of blockers(waiter.inode, waiter.request)) owners.add(next);
      }
    }
    return false;
  }

  #enqueue(waiter: Waiter): void {
    const { inode, request } = waiter;
    inode.waiters.add(waiter);
    if (request.isFlock) return;
    this.#waitersOf.set(request.owner, (this.#waitersOf.get(request.owner) ?? new Set()).add(waiter));
  }

  #dequeue(waiter: Waiter): void {
    const { inode, request } = waiter;
    inode.waiters.delete(waiter);
    const ofOwner = this.#waitersOf.get(request.owner);
    if (ofOwner?.delete(waiter) && ofOwner.size === 0) this.#waitersOf.delete(request.owner);
  }

  #inode(node: NodeId): Inode {
    let inode = this.#inodes.get(node);
    if (inode === undefined) this.#inodes.set(node, (inode = { node, records: [], flocks: [], waiters: new Set() }));
    return inode;
  }

  /** Forgets an inode without locks and waiters. It may have been dropped, and even begun anew, by what was settled. */
  #tidy(inode: Inode): void {
    if (inode.records.length > 0 || inode.flocks.length > 0 || inode.waiters.size > 0) return;
    if (this.#inodes.get(inode.node) === inode) this.#inodes.delete(inode.node);
  }
}

/** A copy, which may be kept, with the range that the lock will have. */
function checked({ lock: { type, start, end, pid }, owner, isFlock }: LockRequest): LockRequest {
  if (start < 0n || end < start || end > LAST_BYTE) throw systemCallError(Errno.EINVAL);
  return { lock: isFlock ? { type, start: 0n, end: LAST_BYTE, pid } : { type, start, end, pid }, owner, isFlock };
}

function heldIn(inode: Inode, { isFlock }: LockRequest): readonly Held[] {
  return isFlock ? inode.flocks : inode.records;
}

function overlap(a: FileLock, b: FileLock): boolean {
  return a.start <= b.end && b.start <= a.end;
}

function excludes(held: Held, { lock, owner }: LockRequest): boolean {
  return held.owner !== owner && (held.type === 'write' || lock.type !== 'read') && overlap(held, lock);
}

/** Owners of the locks in the way of a request that locks. */
function blockers(inode: Inode, request: LockRequest): bigint[] {
  return heldIn(inode, request).flatMap((held) => (excludes(held, request) ? [held.owner] : []));
}

/** Grants the request if nothing is in its way. `freed`: others may now get what they could not, which can be so where it was not granted. */
function attempt(inode: Inode, request: LockRequest): { granted: boolean; freed: boolean } {
  const { lock, owner, isFlock } = request;
  if (lock.type === 'none') return { granted: true, freed: put(inode, request) };
  const converts = isFlock && inode.flocks.some((held) => held.owner === owner && held.type !== lock.type);
  if (converts) put(inode, { ...request, lock: { ...lock, type: 'none' } });
  if (heldIn(inode, request).some((held) => excludes(held, request))) return { granted: false, freed: converts };
  return { granted: true, freed: put(inode, request) || converts };
}

/** Makes the owner's range what the request says, and returns whether this ended or weakened a lock. */
function put(inode: Inode, request: LockRequest): boolean {
  const { lock, owner, isFlock } = request;
  const { type, pid } = lock;
  let { start, end } = lock;
  let freed = false;
  const next: Held[] = [];
  for (const held of heldIn(inode, request)) {
    if (held.owner === owner && held.type === type && held.start <= lock.end + 1n && held.end >= lock.start - 1n) {
      if (held.start < start) start = held.start;
      if (held.end > end) end = held.end;
    } else if (held.owner === owner && held.type !== type && overlap(held, lock)) {
      freed ||= type !== 'write';
      if (held.start < lock.start) next.push({ ...held, end: lock.start - 1n });
      if (held.end > lock.end) next.push({ ...held, start: lock.end + 1n });
    } else {
      next.push(held);
    }
  }
  if (type !== 'none') next.push({ type, start, end, pid, owner });
  next.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  if (isFlock) inode.flocks = next;
  else inode.records = next;
  return freed;
}
