/** Connections to one origin: pooled, with TLS and HTTP/2 where it offers it, straight or through a proxy. */

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { SecureContext, TLSSocket } from 'node:tls';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { ButlerfsError, type ErrorCode } from '../common/errors.js';
import { bulkConnections } from './http-bulk/connections.js';
import type { AnswerBody } from './http-bulk/contract.js';
import type { Headers } from './http-headers.js';
import { holdEndWhilePaused } from './paused-end.js';
import type { ProxyLookup, ProxyRoute } from './proxies.js';

export interface HttpAgentSettings {
  /** Connections to a host, at most. */
  readonly connections: number;
  /** Milliseconds for establishing one. */
  readonly connectTimeout: number;
  /** Whether HTTP/2 is spoken where TLS offers it. */
  readonly allowHttp2: boolean;
  readonly proxies: ProxyLookup;
  /** Default: Node's own. */
  readonly authorities?: (() => SecureContext | undefined) | undefined;
  /** Hears of each new connection what is spoken on it, for `origin`. */
  readonly onProtocol: (origin: string, protocol: 'HTTP/1.1' | 'HTTP/2') => void;
}

/**
 * Bytes that one body may be ahead of its reader on HTTP/2. What HTTP/1.1 leaves to the kernel is said here: less would make a transfer over a long distance
 * slow, more would keep it in memory.
 */
const STREAM_WINDOW = 4 * 2 ** 20;

export interface AgentRequest {
  readonly method: Dispatcher.HttpMethod;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal: AbortSignal;
  /** Whether much is to come: a GET on HTTP/1.1 may then take memory that is used again. Chunks of its body are valid until the next is asked for. */
  readonly isLong: boolean;
}

export interface AgentAnswer {
  readonly statusCode: number;
  readonly headers: Headers;
  readonly body: AnswerBody;
}

export interface HttpAgent {
  /** Sends one request; resolves with the headers of the answer. */
  request(url: URL, options: AgentRequest): Promise<AgentAnswer>;
  /** The proxy that requests for `url` go through. */
  proxyOf(url: URL): ProxyRoute | undefined;
  destroy(): Promise<void>;
}

export function httpAgent(settings: HttpAgentSettings): HttpAgent {
  const { connections, connectTimeout, allowHttp2, proxies, authorities } = settings;
  const plain = buildConnector({ timeout: connectTimeout, allowHalfOpen: true });
  let secure: buildConnector.connector | undefined;
  const connectDirectly: buildConnector.connector = (options, callback) => {
    if (options.protocol !== 'https:') return plain(options, callback);
    try {
      const secureContext = authorities?.();
      const tls = secureContext === undefined ? {} : { secureContext };
      secure ??= buildConnector({ timeout: connectTimeout, allowH2: allowHttp2, allowHalfOpen: true, ...tls });
    } catch (error) {
      callback(error as Error, null);
      return undefined;
    }
    return secure(options, callback);
  };
  const connect: buildConnector.connector = (options, callback) => {
    const origin = `${options.protocol}//${options.host ?? options.hostname}`;
    const established: buildConnector.Callback = (...outcome) => {
      const [error, socket] = outcome;
      if (error === null) holdEndWhilePaused(socket);
      if (error === null) settings.onProtocol(origin, (socket as TLSSocket).alpnProtocol === 'h2' ? 'HTTP/2' : 'HTTP/1.1');
      callback(...outcome);
    };
    const route = options.protocol === 'https:' && URL.canParse(origin) ? proxies(new URL(origin)) : undefined;
    if (route === undefined) return connectDirectly(options, established);
    openTunnel(route, options, { timeout: connectTimeout, authorities }).then(
      (httpSocket) => connectDirectly({ ...options, httpSocket }, established),
      (error: unknown) => callback(error as Error, null),
    );
    return undefined;
  };
  // The waits of undici are switched off: its timers are coarse, and they count the time a slow consumer takes.
  const agent = new Agent({
    connections,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 10_000,
    allowH2: allowHttp2,
    initialWindowSize: STREAM_WINDOW,
    // Bodies that nobody reads for a while must not use up what the others on the connection may send.
    connectionWindowSize: 2 * connections * STREAM_WINDOW,
    connect,
  });
  const bulk = bulkConnections({ connectTimeout, authorities });
  return {
    request: async (url, { isLong, ...plainOptions }) => {
      const route = proxies(url);
      if (isLong && route === undefined && plainOptions.method === 'GET') {
        const answer = await bulk.get(url, plainOptions);
        if (answer !== undefined) return answer;
      }
      // Without `reset: false` undici closes the connection after every HEAD.
      const options = { ...plainOptions, reset: false };
      // Through a proxy a plain request is sent whole, with the URL in place of the path.
      if (route !== undefined && url.protocol === 'http:') {
        const headers: Record<string, string> = { ...options.headers, host: url.host };
        if (route.authorization !== undefined) headers['proxy-authorization'] = route.authorization;
        return agent.request({ ...options, headers, origin: route.origin, path: url.href });
      }
      return agent.request({ ...options, origin: url.origin, path: `${url.pathname}${url.search}` });
    },
    proxyOf: proxies,
    destroy: async () => {
      bulk.destroy();
      await agent.destroy();
    },
  };
}

/** A connection to the host of `options` through the proxy (RFC 9110, 9.3.6); nothing was said on it yet. */
function openTunnel(
  { origin, authorization, variable }: ProxyRoute,
  { hostname, port }: buildConnector.Options,
  { timeout, authorities }: { readonly timeout: number; readonly authorities: HttpAgentSettings['authorities'] },
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const proxy = new URL(origin);
    const host = isIP(hostname) === 6 ? `[${hostname}]` : hostname;
    const target = `${host}:${port === '' ? '443' : port}`;
    const send = proxy.protocol === 'https:' ? httpsRequest : httpRequest;
    const failed = (why: string, cause?: unknown, code: ErrorCode = 'remote-unreachable'): void =>
      reject(new ButlerfsError(code, { what: `the proxy ${origin} (${variable})`, why, cause }));
    const refused = (status: number): void => {
      const why = status === 407 ? 'it wants other credentials (407)' : `it answers ${status} when asked for a tunnel to ${target}`;
      failed(why, undefined, status < 500 ? 'remote-forbidden' : 'remote-unreachable');
    };
    const request = send({
      host: proxy.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: proxy.port === '' ? (proxy.protocol === 'https:' ? 443 : 80) : proxy.port,
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }) },
      agent: false,
      timeout,
      ...(proxy.protocol === 'https:' && authorities?.() !== undefined ? { secureContext: authorities() } : {}),
    });
    request.once('timeout', () => request.destroy(new Error(`no answer for ${timeout / 1000} s`)));
    request.once('error', (error) => failed(error.message, error));
    request.once('response', (response) => {
      refused(response.statusCode ?? 0);
      request.destroy();
    });
    request.once('connect', (response, socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      refused(response.statusCode ?? 0);
    });
    request.end();
  });
}
