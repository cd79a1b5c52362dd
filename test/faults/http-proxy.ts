/** An HTTP proxy before a real server that answers as the server does, but for what a rule changes: status, headers, body, and how the answer is sent. */

import { Agent, createServer, request as ask, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  /** Decoded, without a leading slash and without the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** How many came for this path before, whatever their method. */
  readonly index: number;
}

export interface ServerAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** How an answer is sent. Bytes are those of its body; `after: 'nothing'` sends no head either. */
export type Delivery =
  | { readonly kind: 'reset' | 'stall' | 'truncate'; readonly after: number | 'nothing' }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number };

export interface ChangedAnswer extends ServerAnswer {
  readonly delivery?: Delivery;
  /** Sends no Content-Length: `chunked` says where the end is, `close` leaves it to the end of the connection. */
  readonly length?: 'chunked' | 'close';
}

/** The answer in place of the server's. */
export type HttpRule = (answer: ServerAnswer, request: SeenRequest) => ChangedAnswer;

/** Headers that belong to one connection, or say again what the proxy finds out for itself. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'content-length'];
const SLOW_PIECES = 20;
/** Milliseconds from the last byte to what cuts the connection off: a reset takes with it what has not been read. */
const SETTLED = 200;

export class HttpProxy {
  readonly port: number;
  /** Everything asked for so far. */
  readonly requests: SeenRequest[] = [];
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #rules = new Map<string, HttpRule>();
  readonly #counts = new Map<string, number>();
  readonly #sent = new Map<string, number>();
  readonly #timers = new Set<NodeJS.Timeout>();

  private constructor(targetPort: number, server: Server) {
    this.#targetPort = targetPort;
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('request', (request, response: ServerResponse) => {
      const path = decodeURIComponent(request.url!.slice(1).replace(/\?.*$/s, ''));
      const seen = { method: request.method!, path, headers: request.headers, index: this.#counts.get(path) ?? 0 };
      this.#counts.set(path, seen.index + 1);
      this.requests.push(seen);
      response.on('error', () => undefined);
      this.#answer(seen, request.url!, response).catch(() => response.socket?.resetAndDestroy());
    });
  }

  /** Listens on a free port of 127.0.0.1 for a server on another of its ports. */
  static async start(targetPort: number): Promise<HttpProxy> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new HttpProxy(targetPort, server);
  }

  /** Without a trailing slash. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** From now on answers for `path` go through `rule`; undefined: they are the server's. */
  rule(path: string, rule: HttpRule | undefined): void {
    if (rule === undefined) this.#rules.delete(path);
    else this.#rules.set(path, rule);
  }

  /** What was asked for one path, in order. */
  asked(path: string): SeenRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  /** Bytes of bodies sent for one path. */
  sent(path: string): number {
    return this.#sent.get(path) ?? 0;
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }

  async #answer(request: SeenRequest, url: string, response: ServerResponse): Promise<void> {
    const answer = await this.#askServer(request, url);
    this.#send(request, response, this.#rules.get(request.path)?.(answer, request) ?? answer);
  }

  #askServer({ method, headers }: SeenRequest, path: string): Promise<ServerAnswer> {
    return new Promise((resolve, reject) => {
      const asked = ask({ port: this.#targetPort, host: '127.0.0.1', method, path, headers, agent: this.#agent }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const kept = Object.entries(answer.headers).filter(([name]) => name === 'content-length' || !HOP_BY_HOP.includes(name));
          resolve({
            status: answer.statusCode!,
            headers: Object.fromEntries(kept.map(([name, value]) => [name, String(value)])),
            body: Buffer.concat(chunks),
          });
        });
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  #send(request: SeenRequest, response: ServerResponse, { status, headers, body, delivery, length }: ChangedAnswer): void {
    const socket = response.socket!;
    if (delivery !== undefined && delivery.kind !== 'slow' && delivery.after === 'nothing') {
      if (delivery.kind === 'reset') socket.resetAndDestroy();
      if (delivery.kind === 'truncate') socket.end();
      return;
    }
    const isHead = request.method === 'HEAD';
    for (const [name, value] of Object.entries(headers)) {
      if (name !== 'content-length' || (isHead && length === undefined)) response.setHeader(name, value);
    }
    if (length === 'close') {
      response.setHeader('connection', 'close');
      response.removeHeader('transfer-encoding');
      response.useChunkedEncodingByDefault = false;
    } else if (length === undefined && !isHead) response.setHeader('content-length', body.length);
    response.writeHead(status);
    if (isHead) return void response.end();
    this.#sendBody(request, response, body, delivery, length === 'close');
  }

  #sendBody(request: SeenRequest, response: ServerResponse, body: Buffer, delivery: Delivery | undefined, closes: boolean): void {
    const count = (bytes: number): void => void this.#sent.set(request.path, this.sent(request.path) + bytes);
    const socket = response.socket!;
    if (delivery?.kind === 'slow') return this.#trickle(response, body, delivery.bytesPerSecond, count);
    // An answer that is whole leaves its connection to the next, which is not to be cut off.
    if (delivery === undefined || (delivery.after as number) >= body.length) {
      count(body.length);
      response.end(body, () => void (closes && socket.end()));
      return;
    }
    const part = body.subarray(0, delivery.after as number);
    count(part.length);
    response.flushHeaders();
    const finish = (): void => {
      if (delivery.kind === 'reset') socket.resetAndDestroy();
      if (delivery.kind === 'truncate') socket.end();
    };
    if (part.length > 0) response.write(part);
    this.#later(SETTLED, finish);
  }

  #trickle(response: ServerResponse, body: Buffer, bytesPerSecond: number, count: (bytes: number) => void): void {
    const size = Math.max(1, Math.floor(bytesPerSecond / SLOW_PIECES));
    const began = performance.now();
    const next = (offset: number): void => {
      if (response.destroyed) return;
      const piece = body.subarray(offset, offset + size);
      count(piece.length);
      if (offset + size >= body.length) return void response.end(piece);
      response.write(piece);
      this.#later(Math.max(1, began + (1000 * (offset + size)) / bytesPerSecond - performance.now()), () => next(offset + size));
    };
    next(0);
  }

  #later(milliseconds: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, milliseconds);
    this.#timers.add(timer);
  }
}

/** Rules for the first requests of a method GET, and for all after them: `times(1, broken)` is broken once. */
export function times(count: number, rule: HttpRule): HttpRule {
  let left = count;
  return (answer, request) => (request.method === 'GET' && left-- > 0 ? rule(answer, request) : answer);
}

/** Answers of GET only. */
export function always(rule: HttpRule): HttpRule {
  return times(Infinity, rule);
}

export function delivered(delivery: Delivery, length?: 'chunked' | 'close'): HttpRule {
  return (answer) => ({ ...answer, delivery, ...(length === undefined ? {} : { length }) });
}

/** An answer of the proxy's own. */
export function says(status: number, headers: Readonly<Record<string, string>> = {}, body: string | Buffer = ''): HttpRule {
  return () => ({ status, headers, body: Buffer.from(body) });
}

/** One byte of the body with its lowest bit inverted. */
export function flipped(at: number): HttpRule {
  return (answer) => {
    const body = Buffer.from(answer.body);
    if (at < body.length) body[at]! ^= 1;
    return { ...answer, body };
  };
}
