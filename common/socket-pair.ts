/** socketpair(2), which Node does not offer. Linux, 64-bit. */

import { createRequire } from 'node:module';
import { systemCallError } from './errors.js';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
const O_CLOEXEC = 0o2000000;

type Call = (domain: number, type: number, protocol: number, fds: Int32Array) => number;

let call: Call | undefined;
let errno: () => number;

/** Loaded with the first pair: a command that needs none does not pay for it. */
function load(): Call {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  errno = () => koffi.errno();
  return koffi.load('libc.so.6').func('int socketpair(int domain, int type, int protocol, int *fds)') as Call;
}

/**
 * Two connected sockets, which do not outlive an exec unless they are handed on; the caller closes both. `packets`: what is written at a time is read at a time.
 * Throws SystemCallError, and where koffi cannot be loaded what that throws.
 */
export function socketPair({ packets = false }: { readonly packets?: boolean } = {}): [number, number] {
  call ??= load();
  const fds = new Int32Array(2);
  if (call(AF_UNIX, (packets ? SOCK_SEQPACKET : SOCK_STREAM) | O_CLOEXEC, 0, fds) < 0) throw systemCallError(errno());
  return [fds[0]!, fds[1]!];
}
