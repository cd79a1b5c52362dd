/** The connections to one origin for long answers: kept for a while, and used again. */

import { connect as connectPlainly, isIP, type Socket } from 'node:net';
import { connect as connectSecurely, type SecureContext } from 'node:tls';
import { BulkConnection, ClosedBeforeAnswerError } from './connection.js';
import type { BulkAnswer, BulkConnections, BulkRequest } from './contract.js';

export interface BulkSettings {
  /** Milliseconds for establishing a connection. */
  readonly connectTimeout: number;
  /** Who may vouch for servers; default: Node's own. */
  readonly authorities?: (() => SecureContext | undefined) | undefined;
}

/** Milliseconds for which one that is not in use is kept. */
const KEPT = 10_000;
/** Milliseconds for which an origin that answered in another way is not asked here. */
const LEFT_ALONE = 60_000;

export function bulkConnections(settings: BulkSettings): BulkConnections {
  return new Connections(settings);
}

class Connections implements BulkConnections {
  readonly #settings: BulkSettings;
  readonly #idle = new Map<string, BulkConnection[]>();
  readonly #all = new Set<BulkConnection>();
  /** Until when origins are left to others. */
  readonly #others = new Map<string, number>();
  #isDestroyed = false;

  constructor(settings: BulkSettings) {
    this.#settings = settings;
  }

  async get(url: URL, request: BulkRequest): Promise<BulkAnswer | undefined> {
    // Asking twice for everything would cost more than is gained.
    if ((this.#others.get(url.origin) ?? -Infinity) > performance.now()) return undefined;
    const answer = await this.#ask(url, request);
    if (answer === undefined) this.#others.set(url.origin, performance.now() + LEFT_ALONE);
    return answer;
  }

  async #ask(url: URL, request: BulkRequest): Promise<BulkAnswer | undefined> {
    for (let kept = this.#takeIdle(url.origin); kept !== undefined; kept = this.#takeIdle(url.origin)) {
      try {
        return await kept.get(url, request);
      } catch (error) {
        // It may have been closed while it was not in use; a new one says whether the origin still answers.
        if (!(error instanceof ClosedBeforeAnswerError) || request.signal.aborted) throw error;
      }
    }
    return await (await this.#connect(url, request.signal)).get(url, request);
  }

  destroy(): void {
    this.#isDestroyed = true;
    for (const connection of this.#all) connection.close();
  }

  #takeIdle(origin: string): BulkConnection | undefined {
    const idle = this.#idle.get(origin) ?? [];
    for (let connection = idle.pop(); connection !== undefined; connection = idle.pop()) if (connection.isOpen) return connection;
    return undefined;
  }

  async #connect(url: URL, signal: AbortSignal): Promise<BulkConnection> {
    const connection = new BulkConnection(() => this.#keep(url.origin, connection));
    connection.use(await this.#establish(url, connection, signal));
    this.#all.add(connection);
    connection.onClose(() => this.#all.delete(connection));
    if (this.#isDestroyed) connection.close();
    return connection;
  }

  #keep(origin: string, connection: BulkConnection): void {
    const idle = this.#idle.get(origin) ?? [];
    this.#idle.set(origin, idle);
    idle.push(connection);
    const expired = (): void => {
      const index = idle.indexOf(connection);
      if (index < 0) return;
      idle.splice(index, 1);
      connection.close();
    };
    setTimeout(expired, KEPT).unref();
  }

  #establish(url: URL, { receiver }: BulkConnection, signal: AbortSignal): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
      const isSecure = url.protocol === 'https:';
      const place = { host, port: Number(url.port === '' ? (isSecure ? 443 : 80) : url.port), onread: receiver };
      const secureContext = isSecure ? this.#settings.authorities?.() : undefined;
      const names = { ALPNProtocols: ['http/1.1'], ...(isIP(host) === 0 ? { servername: host } : {}) };
      const socket = isSecure
        ? connectSecurely({ ...place, ...names, ...(secureContext === undefined ? {} : { secureContext }) })
        : connectPlainly(place);
      const settle = (error: Error | undefined): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        socket.off('error', settle);
        if (error === undefined) return resolve(socket);
        socket.on('error', () => undefined);
        socket.destroy();
        reject(error);
      };
      const abort = (): void => settle(signal.reason as Error);
      const late = (): void => settle(Object.assign(new Error('the connection was not established in time'), { code: 'ETIMEDOUT' }));
      const timer = setTimeout(late, this.#settings.connectTimeout);
      socket.once('error', settle);
      socket.once(isSecure ? 'secureConnect' : 'connect', () => settle(undefined));
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
    });
  }
}
