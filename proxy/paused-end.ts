/**
 * The end of a connection, held back while its reader is behind.
 *
 * undici 7 takes the end of a connection for the end of an answer, also while the reader of that answer has it pause: an assertion then fails in the handler of
 * an event, which ends the process (nodejs/undici issue 5360; mended in version 8, which needs Node 22). Servers that close after each answer, as HTTP/1.0 ones
 * do, are enough. Here the end waits until the reader has caught up.
 */

import type { Socket } from 'node:net';

/** Milliseconds between looks at whether the reader has caught up. */
const INTERVAL = 10;

/** What undici keeps on the socket of a connection. */
interface Parser {
  readonly paused?: boolean;
}

/** To be given a socket that was opened with `allowHalfOpen`: it must not close by itself when the other side has ended. */
export function holdEndWhilePaused(socket: Socket): void {
  const { emit } = socket;
  socket.emit = (event: string, ...args: unknown[]): boolean => {
    if (event !== 'end' || !isPaused(socket)) return Reflect.apply(emit, socket, [event, ...args]) as boolean;
    const look = setInterval(() => {
      if (isPaused(socket) && !socket.destroyed) return;
      clearInterval(look);
      if (!socket.destroyed) Reflect.apply(emit, socket, [event, ...args]);
    }, INTERVAL);
    look.unref();
    return true;
  };
}

function isPaused(socket: Socket): boolean {
  const key = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'parser');
  const parser = key === undefined ? undefined : (socket as unknown as Record<symbol, Parser | null>)[key];
  return parser?.paused === true;
}
