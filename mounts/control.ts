/** The control socket of a mount: newline-delimited JSON over a Unix socket that only its user can reach. */

import { chmodSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { dirname } from 'node:path';
import { ButlerfsError, deserializeError, serializeError } from '../common/errors.js';
import { ensurePrivateDirectory } from './directories.js';
import { LONGEST_REQUEST, LONGEST_RESPONSE, requestSchema, responseSchema, resultSchemas } from './messages.js';
import type { Server, Socket } from 'node:net';
import type { Mounted } from './contract.js';
import type { ControlCommand, ControlRequest, ControlResults } from './messages.js';

/** What the commands are about. */
export interface Controlled {
  readonly mounted: Pick<Mounted, 'status' | 'refresh' | 'treeSettings' | 'setOffline' | 'fetch' | 'damagedContent' | 'unmount'>;
  /** Says how a path below the mount point resolves, or why it does not. */
  readonly explain: (path: string) => string | Promise<string>;
}

export interface ControlServer {
  /** Ends connections and removes the socket. Idempotent. */
  close(): Promise<void>;
}

const MOST_CONNECTIONS = 32;
/** Milliseconds that a connection may stay without a whole request. */
const IDLE_DEADLINE = 10_000;

/** Milliseconds for a client that sent too much to take its answer. */
const LAST_WORDS_DEADLINE = 500;

/** Serves the commands at `socketPath`, replacing a socket that a dead daemon left. The directory is made private. */
export async function serveControl(socketPath: string, controlled: Controlled): Promise<ControlServer> {
  await ensurePrivateDirectory(dirname(socketPath));
  await rm(socketPath, { force: true });
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    serveConnection(socket, controlled);
  });
  server.maxConnections = MOST_CONNECTIONS;
  await listen(server, socketPath);
  chmodSync(socketPath, 0o600);
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of connections) socket.destroySoon();
      await closed;
    },
  };
}

async function listen(server: Server, socketPath: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new ButlerfsError('mount-failed', { what: `cannot listen at control socket ${socketPath}`, why: cause.message, cause })),
    );
    server.listen(socketPath, resolve);
  });
}

function serveConnection(socket: Socket, controlled: Controlled): void {
  let unread = '';
  let busy: Promise<void> = Promise.resolve();
  // Nobody is left to hear an answer, and what was begun for it ends.
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  const respond = (response: unknown): void => void (socket.writable && socket.write(`${JSON.stringify(response)}\n`));
  socket.setEncoding('utf8');
  socket.setTimeout(IDLE_DEADLINE, () => socket.destroy());
  // A client that goes away in the middle concerns nobody else.
  socket.on('error', () => socket.destroy());
  socket.on('data', (text: string) => {
    unread += text;
    const lines = unread.split('\n');
    unread = lines.pop()!;
    if (Math.max(unread.length, ...lines.map((line) => line.length)) > LONGEST_REQUEST || lines.length > MOST_CONNECTIONS) {
      respond({ ok: false, error: serializeError(new ButlerfsError('usage', { what: 'the control request is too long' })) });
      hangUp(socket);
      return;
    }
    for (const line of lines) {
      busy = busy.then(async () => {
        // A refresh may take longer than an idle client is borne with; it has deadlines of its own.
        socket.setTimeout(0);
        respond(await answer(line, controlled, gone.signal));
        socket.setTimeout(IDLE_DEADLINE);
      });
    }
  });
}

/**
 * Ends a connection whose client sends too much. What it still sends is read for a moment and dropped: closing on unread bytes would reset the connection,
 * and the client would lose the answer that says why.
 */
function hangUp(socket: Socket): void {
  socket.removeAllListeners('data').resume().end();
  const timer = setTimeout(() => socket.destroy(), LAST_WORDS_DEADLINE);
  socket.once('close', () => clearTimeout(timer));
}

async function answer(line: string, controlled: Controlled, signal: AbortSignal): Promise<unknown> {
  try {
    return { ok: true, result: await run(parseRequest(line), controlled, signal) };
  } catch (error) {
    return { ok: false, error: serializeError(error) };
  }
}

function parseRequest(line: string): ControlRequest {
  try {
    return requestSchema.parse(JSON.parse(line));
  } catch (cause) {
    const known = Object.keys(resultSchemas).join(', ');
    throw new ButlerfsError('usage', { what: 'the control request is not understood', advice: `known commands: ${known}`, cause });
  }
}

async function run(
  request: ControlRequest,
  { mounted, explain }: Controlled,
  signal: AbortSignal,
): Promise<ControlResults[ControlCommand]> {
  switch (request.command) {
    case 'status':
      return await mounted.status();
    case 'refresh':
      return await mounted.refresh();
    case 'tree':
      return mounted.treeSettings();
    case 'offline':
      await mounted.setOffline(request.on);
      return null;
    case 'fetch':
      await mounted.fetch(request.request, signal);
      return null;
    case 'damaged':
      mounted.damagedContent(request.digests);
      return null;
    case 'explain':
      return await explain(request.path);
    case 'unmount':
      // Answered first: the socket goes with the mount.
      setImmediate(() => void mounted.unmount().catch(() => undefined));
      return null;
  }
}

/**
 * Asks a daemon.
 *
 * @param deadline milliseconds within which the answer must be here.
 * @throws ButlerfsError `not-mounted` where no daemon listens, `mount-failed` where it does not answer in time or not sensibly, `interrupted`, or
 *   what the command failed with.
 */
export async function askDaemon<C extends ControlCommand>(
  socketPath: string,
  request: Extract<ControlRequest, { command: C }>,
  { deadline, signal }: { readonly deadline: number; readonly signal?: AbortSignal | undefined },
): Promise<ControlResults[C]> {
  const line = await exchange(socketPath, `${JSON.stringify(request)}\n`, deadline, signal);
  let response;
  try {
    response = responseSchema.parse(JSON.parse(line));
    if (response.ok) return resultSchemas[request.command].parse(response.result) as ControlResults[C];
  } catch (cause) {
    throw new ButlerfsError('mount-failed', {
      what: `the daemon's answer to '${request.command}' is not understood`,
      advice: 'it may be of another version: unmount and mount again',
      cause,
    });
  }
  throw deserializeError(response.error);
}

async function exchange(socketPath: string, request: string, deadline: number, signal: AbortSignal | undefined): Promise<string> {
  return await new Promise<string>((resolve, reject) => {
    const socket = connect(socketPath);
    let received = '';
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.destroy();
      settle();
    };
    const fail = (code: 'not-mounted' | 'mount-failed' | 'interrupted', why: string, cause?: unknown): void =>
      finish(() => reject(new ButlerfsError(code, { what: `daemon at ${socketPath}`, why, cause })));
    const abort = (): void => fail('interrupted', 'the wait for its answer was interrupted');
    const timer = setTimeout(() => fail('mount-failed', `no answer within ${deadline / 1000} s`), deadline);
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) return abort();
    socket.setEncoding('utf8');
    socket.once('connect', () => socket.write(request));
    socket.on('data', (text: string) => {
      received += text;
      const end = received.indexOf('\n');
      if (end >= 0) finish(() => resolve(received.slice(0, end)));
      else if (received.length > LONGEST_RESPONSE) fail('mount-failed', 'its answer is too long');
    });
    socket.once('end', () => fail('mount-failed', 'it closed the connection without an answer'));
    socket.once('error', (cause) => fail('not-mounted', 'nobody listens there', cause));
  });
}
