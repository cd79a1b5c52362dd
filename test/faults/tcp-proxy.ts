/** A TCP proxy before a real server that does to the connections what networks and hosts do. It knows nothing of what is said on them. */

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Line, type LineSettings } from './line.js';

/** What happens to answers. Bytes are those of one connection from the server, counted from when the fault was set or the connection made. */
export type TcpFault =
  /** Ends the connection after so many bytes: with RST, or with FIN, as a server that stopped too early does. */
  | { readonly kind: 'reset' | 'truncate'; readonly after: number }
  /** Keeps it open and sends no more. */
  | { readonly kind: 'stall'; readonly after: number }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  /** Inverts the lowest bit of one byte: of every connection, or of the first that comes so far. */
  | { readonly kind: 'flip'; readonly at: number; readonly once: boolean };

export interface TcpCounts {
  /** Accepted, since the start. */
  readonly connections: number;
  readonly open: number;
  /** Bytes taken from clients, and given to them. */
  readonly asked: number;
  readonly answered: number;
}

export interface TcpProxyOptions {
  /** Both directions go over a line of this kind; default: neither waits. A connection is made when a handshake would have come back over it. */
  readonly link?: LineSettings;
}

/** A line that is busy for longer than this keeps its sender waiting, milliseconds. */
const BACKLOG = 10;
/** Bytes that a client may leave unread before its server is kept waiting. */
const UNREAD = 2 ** 20;

/** Pieces a second in which a slow connection sends, at most. */
const SLOW_PIECES = 20;

export class TcpProxy {
  readonly port: number;
  readonly #targetPort: number;
  readonly #link: LineSettings | undefined;
  readonly #toServer: Line | undefined;
  readonly #toClient: Line | undefined;
  readonly #connections = new Set<Connection>();
  #server: Server | undefined;
  #fault: TcpFault | undefined;
  #accepted = 0;
  #asked = 0;
  #answered = 0;

  private constructor(targetPort: number, port: number, server: Server, { link }: TcpProxyOptions) {
    this.#targetPort = targetPort;
    this.port = port;
    this.#link = link;
    this.#toServer = link && new Line(link);
    this.#toClient = link && new Line(link);
    this.#serve(server);
  }

  /** Listens on a free port of 127.0.0.1 for a server on another of its ports. */
  static async start(targetPort: number, options: TcpProxyOptions = {}): Promise<TcpProxy> {
    const server = await listen(0);
    return new TcpProxy(targetPort, (server.address() as AddressInfo).port, server, options);
  }

  get counts(): TcpCounts {
    return { connections: this.#accepted, open: this.#connections.size, asked: this.#asked, answered: this.#answered };
  }

  get fault(): TcpFault | undefined {
    return this.#fault;
  }

  /** From now on this happens, also to connections that are open; undefined: nothing. What a stall held back stays lost. */
  set fault(fault: TcpFault | undefined) {
    this.#fault = fault;
  }

  /** Nobody listens any more, and who was connected is reset. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.reset();
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  /** Listens again after {@link refuse}. */
  async accept(): Promise<void> {
    if (this.#server === undefined) this.#serve(await listen(this.port));
  }

  /** Resets every connection that is open. */
  reset(): void {
    for (const connection of this.#connections) connection.reset();
  }

  async stop(): Promise<void> {
    await this.refuse();
    this.#toServer?.close();
    this.#toClient?.close();
  }

  #serve(server: Server): void {
    this.#server = server;
    server.on('connection', (client) => {
      this.#accepted++;
      const connection = new Connection(client, {
        targetPort: this.#targetPort,
        handshake: 2 * (this.#link?.delay ?? 0),
        toServer: this.#toServer,
        toClient: this.#toClient,
        fault: () => this.#fault,
        spend: (fault) => {
          if (this.#fault === fault) this.#fault = undefined;
        },
        asked: (bytes) => (this.#asked += bytes),
        answered: (bytes) => (this.#answered += bytes),
        ended: () => this.#connections.delete(connection),
      });
      this.#connections.add(connection);
    });
  }
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    // A client that has said all may still wait for its answer.
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

interface ConnectionSettings {
  readonly targetPort: number;
  /** Milliseconds from the client's first wish to the connection. */
  readonly handshake: number;
  readonly toServer: Line | undefined;
  readonly toClient: Line | undefined;
  readonly fault: () => TcpFault | undefined;
  /** A fault that comes once has come. */
  readonly spend: (fault: TcpFault) => void;
  readonly asked: (bytes: number) => void;
  readonly answered: (bytes: number) => void;
  readonly ended: () => void;
}

class Connection {
  readonly #client: Socket;
  readonly #settings: ConnectionSettings;
  readonly #timers = new Set<NodeJS.Timeout>();
  #upstream: Socket | undefined;
  /** The fault that {@link #passed} counts for. */
  #fault: TcpFault | undefined;
  #passed = 0;
  #cutOff = false;
  #ended = false;

  constructor(client: Socket, settings: ConnectionSettings) {
    this.#client = client;
    this.#settings = settings;
    client.pause();
    client.on('error', () => undefined);
    client.on('close', () => this.#end());
    if (settings.handshake === 0) this.#connect();
    else this.#later(settings.handshake, () => this.#connect());
  }

  reset(): void {
    if (!this.#client.destroyed) this.#client.resetAndDestroy();
    this.#end();
  }

  #connect(): void {
    const { targetPort, toServer, asked } = this.#settings;
    const upstream = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.#upstream = upstream;
    upstream.on('error', () => this.reset());
    this.#carry(this.#client, upstream, toServer, (bytes) => {
      asked(bytes.length);
      return bytes;
    });
    this.#carry(upstream, this.#client, this.#settings.toClient, (bytes) => this.#alter(bytes));
    this.#client.resume();
  }

  /** From one side to the other, as `alter` leaves it. */
  #carry(from: Socket, to: Socket, line: Line | undefined, alter: (bytes: Buffer) => Buffer): void {
    const deliver = (bytes: Buffer): void => {
      if (to.destroyed || !to.writable) return;
      if (to.write(bytes) || to.writableLength < UNREAD) return;
      from.pause();
      to.once('drain', () => from.resume());
    };
    from.on('data', (bytes: Buffer) => {
      const altered = alter(bytes);
      if (altered.length === 0) return;
      if (line === undefined) return deliver(altered);
      const busy = line.send(altered, deliver);
      if (busy < BACKLOG) return;
      from.pause();
      this.#later(busy - BACKLOG / 2, () => from.resume());
    });
    from.on('end', () => {
      if (this.#cutOff) return;
      if (line === undefined) to.end();
      else line.after(() => to.end());
    });
  }

  /** What of an answer goes on at once. */
  #alter(bytes: Buffer): Buffer {
    if (this.#cutOff) return Buffer.alloc(0);
    const fault = this.#settings.fault();
    if (fault !== this.#fault) {
      this.#fault = fault;
      this.#passed = 0;
    }
    const before = this.#passed;
    this.#passed += bytes.length;
    if (fault?.kind === 'slow') return this.#slow(bytes, fault.bytesPerSecond);
    const passed = fault === undefined ? bytes : this.#apply(fault, bytes, before);
    this.#settings.answered(passed.length);
    return passed;
  }

  #apply(fault: Exclude<TcpFault, { kind: 'slow' }>, bytes: Buffer, before: number): Buffer {
    if (fault.kind === 'flip') {
      if (fault.at < before || fault.at >= before + bytes.length) return bytes;
      if (fault.once) this.#settings.spend(fault);
      const flipped = Buffer.from(bytes);
      flipped[fault.at - before]! ^= 1;
      return flipped;
    }
    if (before + bytes.length < fault.after) return bytes;
    this.#cutOff = true;
    this.#upstream!.pause();
    // When what is to be passed has been written.
    if (fault.kind === 'reset') this.#later(1, () => this.reset());
    if (fault.kind === 'truncate') {
      this.#later(1, () => {
        this.#client.end();
        this.#upstream!.destroy();
      });
    }
    return bytes.subarray(0, Math.max(0, fault.after - before));
  }

  /** Passes a little at a time, and nothing now. */
  #slow(bytes: Buffer, bytesPerSecond: number): Buffer {
    const size = Math.max(1, Math.floor(bytesPerSecond / SLOW_PIECES));
    const upstream = this.#upstream!;
    const began = performance.now();
    upstream.pause();
    const pass = (offset: number): void => {
      const piece = bytes.subarray(offset, offset + size);
      if (this.#ended) return;
      this.#settings.answered(piece.length);
      this.#client.write(piece);
      const next = offset + size;
      const due = began + (1000 * Math.min(next, bytes.length)) / bytesPerSecond;
      this.#later(Math.max(1, due - performance.now()), () => (next < bytes.length ? pass(next) : upstream.resume()));
    };
    pass(0);
    return Buffer.alloc(0);
  }

  #later(milliseconds: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#ended) work();
    }, milliseconds);
    this.#timers.add(timer);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#upstream?.destroy();
    this.#settings.ended();
  }
}
