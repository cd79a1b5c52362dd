/** The few system calls that Node does not offer, through koffi. Linux, 64-bit. */

import koffi from 'koffi';
import { getSystemErrorName } from 'node:util';
import { ButlerfsError, systemCallError } from '../../common/errors.js';

const libc = koffi.load('libc.so.6');

// `long` is ssize_t and `unsigned long` is size_t on every 64-bit Linux.
const cRead = libc.func('long read(int fd, void *buffer, unsigned long size)') as (fd: number, buffer: Buffer, size: number) => number;
const cWrite = libc.func('long write(int fd, void *buffer, unsigned long size)') as (fd: number, buffer: Buffer, size: number) => number;
const cPoll = libc.func('int poll(void *fds, unsigned long count, int milliseconds)') as (
  fds: Buffer,
  count: number,
  milliseconds: number,
) => number;
const cIoctl = libc.func('int ioctl(int fd, unsigned long request, void *argument)') as (
  fd: number,
  request: number,
  argument: Buffer,
) => number;
const cMount = libc.func('int mount(str source, str target, str type, unsigned long flags, str data)') as (
  source: string,
  target: string,
  type: string,
  flags: number,
  data: string,
) => number;
const cUmount = libc.func('int umount2(str target, int flags)') as (target: string, flags: number) => number;
const cPipe = libc.func('int pipe2(int *fds, int flags)') as (fds: Int32Array, flags: number) => number;
const cRecvmsg = libc.func('long recvmsg(int fd, void *message, int flags)') as (fd: number, message: Buffer, flags: number) => number;
const cFcntl = libc.func('int fcntl(int fd, int command, long argument)') as (fd: number, command: number, argument: number) => number;

/** errno of the last call on this thread, as a positive number. */
export function lastErrno(): number {
  return koffi.errno();
}

/** The errno's name (`EBUSY`), for messages and comparisons. */
export function errnoName(errno: number): string {
  return getSystemErrorName(-errno);
}

/** read(2): bytes read, or -1 with {@link lastErrno}. Does not throw: EAGAIN is an everyday answer here. */
export function read(fd: number, buffer: Buffer): number {
  return cRead(fd, buffer, buffer.length);
}

/** write(2) of the first `size` bytes: bytes written, or -1 with {@link lastErrno}. */
export function write(fd: number, buffer: Buffer, size: number): number {
  return cWrite(fd, buffer, size);
}

/** ioctl(2): its result, or -1 with {@link lastErrno}. `argument` is written back. */
export function ioctl(fd: number, request: number, argument: Buffer): number {
  return cIoctl(fd, request, argument);
}

const POLLIN = 1;

/** Waits on two file descriptors until one has something to read (or was closed at its other end). */
export class PollPair {
  readonly #fds = Buffer.alloc(16);

  constructor(first: number, second: number) {
    this.#fds.writeInt32LE(first, 0);
    this.#fds.writeInt16LE(POLLIN, 4);
    this.#fds.writeInt32LE(second, 8);
    this.#fds.writeInt16LE(POLLIN, 12);
  }

  /** `milliseconds`: at most so long; -1 without end. */
  wait(milliseconds: number): void {
    cPoll(this.#fds, 2, Math.min(milliseconds, 0x7fffffff));
  }
}

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

/** A pipe whose ends neither block nor outlive an exec: [read end, write end]. */
export function wakePipe(): [number, number] {
  const fds = new Int32Array(2);
  check(cPipe(fds, O_NONBLOCK | O_CLOEXEC), 'making a pipe');
  return [fds[0]!, fds[1]!];
}

/** Receives one byte that carries one file descriptor (SCM_RIGHTS); undefined where the other end closed without sending one. */
export function receiveDescriptor(socket: number): number | undefined {
  const SOL_SOCKET = 1;
  const SCM_RIGHTS = 1;
  const MSG_CMSG_CLOEXEC = 0x40000000;
  const byte = Buffer.alloc(1);
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(koffi.address(byte), 0);
  vector.writeBigUInt64LE(1n, 8);
  const control = Buffer.alloc(24);
  const message = Buffer.alloc(56);
  message.writeBigUInt64LE(koffi.address(vector), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(koffi.address(control), 32);
  message.writeBigUInt64LE(BigInt(control.length), 40);
  const received = cRecvmsg(socket, message, MSG_CMSG_CLOEXEC);
  check(received, 'receiving the descriptor of /dev/fuse');
  const controlLength = Number(message.readBigUInt64LE(40));
  if (received === 0 || controlLength < 20) return undefined;
  if (control.readInt32LE(8) !== SOL_SOCKET || control.readInt32LE(12) !== SCM_RIGHTS) return undefined;
  return control.readInt32LE(16);
}

/** Makes reads on the descriptor answer EAGAIN instead of blocking. */
export function setNonBlocking(fd: number): void {
  const F_GETFL = 3;
  const F_SETFL = 4;
  const flags = cFcntl(fd, F_GETFL, 0);
  check(flags, 'reading descriptor flags');
  check(cFcntl(fd, F_SETFL, flags | O_NONBLOCK), 'setting descriptor flags');
}

/** Another descriptor of the same open file. Throws SystemCallError. */
export function duplicate(fd: number): number {
  const F_DUPFD_CLOEXEC = 1030;
  const copy = cFcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw systemCallError(lastErrno());
  return copy;
}

/** mount(2): 0, or the errno. */
export function mount(source: string, target: string, type: string, flags: number, data: string): number {
  return cMount(source, target, type, flags, data) === 0 ? 0 : lastErrno();
}

/** umount2(2): 0, or the errno. */
export function umount(target: string, lazy: boolean): number {
  const MNT_DETACH = 2;
  return cUmount(target, lazy ? MNT_DETACH : 0) === 0 ? 0 : lastErrno();
}

function check(result: number, what: string): void {
  if (result >= 0) return;
  throw new ButlerfsError('mount-failed', { what, why: errnoName(lastErrno()) });
}
