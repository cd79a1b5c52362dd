/** HTTP servers for tests: one in this process that can be told to fail, and a real nginx. */

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answers, freePort } from './ports.js';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

export interface TestServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly requests: SeenRequest[];
  /** Answers every request from now on; `count` is its number since then, from 1. */
  handler: (request: IncomingMessage, response: ServerResponse, count: number) => void;
  close(): Promise<void>;
}

/** A server on an ephemeral port of 127.0.0.1 that answers 404 until it is given a handler. */
export async function startServer(): Promise<TestServer> {
  let count = 0;
  let handler: TestServer['handler'] = (_, response) => void response.writeHead(404).end();
  const requests: SeenRequest[] = [];
  const server = createServer((request, response) => {
    requests.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers });
    handler(request, response, ++count);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get handler() {
      return handler;
    },
    set handler(next) {
      count = 0;
      handler = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Answers as a plain, correct server: ETag, ranges, If-Range, If-Match, HEAD. */
export function serveBytes(request: IncomingMessage, response: ServerResponse, content: Buffer, etag: string | null = '"1"'): void {
  const { headers, method } = request;
  response.setHeader('accept-ranges', 'bytes');
  if (etag !== null) response.setHeader('etag', etag);
  if (headers['if-match'] !== undefined && headers['if-match'] !== etag) {
    response.writeHead(412).end();
    return;
  }
  const match = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
  const applies = match !== null && (headers['if-range'] === undefined || headers['if-range'] === etag);
  if (!applies) {
    response.writeHead(200, { 'content-length': content.length });
    response.end(method === 'HEAD' ? undefined : content);
    return;
  }
  const first = Number(match[1]);
  const last = Math.min(match[2] === '' ? Infinity : Number(match[2]), content.length - 1);
  if (first > last) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const headersOut = { 'content-length': last - first + 1, 'content-range': `bytes ${first}-${last}/${content.length}` };
  response.writeHead(206, headersOut).end(method === 'HEAD' ? undefined : content.subarray(first, last + 1));
}

export interface RunningNginx {
  readonly url: string;
  close(): Promise<void>;
}

export function hasNginx(): boolean {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** nginx serving `root`, with lines added to its `server` block. */
export async function startNginx(root: string, extra = ''): Promise<RunningNginx> {
  const directory = mkdtempSync(join(tmpdir(), 'butlerfs-nginx-'));
  const port = await freePort();
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`).join('\n');
  writeFileSync(
    join(directory, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${directory}/pid; error_log ${directory}/error.log;
     ${process.getuid?.() === 0 ? 'user root;' : ''}
     events { worker_connections 256; }
     http { access_log off; ${paths} types {} default_type application/octet-stream;
       server { listen 127.0.0.1:${port}; root ${root}; autoindex on; ${extra} } }`,
  );
  const child = spawn('nginx', ['-p', directory, '-c', join(directory, 'nginx.conf')], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for (let attempt = 0; !(await answers(port)); attempt++) {
    if (attempt > 200 || child.exitCode !== null) throw new Error(`nginx did not start; see ${directory}/error.log`);
    await sleep(20);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      child.kill('SIGTERM');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
