/** The head of an answer (RFC 9112), where it is of the plain kind: one that says how many bytes follow it, as they are. */

import type { Headers } from '../http-headers.js';

export interface PlainHead {
  readonly status: number;
  readonly headers: Headers;
  /** Bytes of the body. */
  readonly length: number;
  /** Whether the connection can be used again after it. */
  readonly isKept: boolean;
}

/** Bytes of a head, at most; undici takes as many. */
export const LONGEST_HEAD = 16 * 1024;

const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/;

/** `text`: the head without the empty line that ends it, a character a byte. Undefined where it is not plain, or not HTTP/1.1. */
export function parsePlainHead(text: string): PlainHead | undefined {
  const [first, ...lines] = text.split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: [^\r\n]*)?$/.exec(first!)?.[1] ?? 0);
  // Others have no body, whatever their head says.
  if (status < 200 || status === 204 || status === 304) return undefined;
  const headers: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const line of lines) {
    const [, name, value] = FIELD.exec(line) ?? [];
    // Among them continued lines, which are obsolete, and are how answers are smuggled.
    if (name === undefined || value === undefined || /[\0\r\n]/.test(value)) return undefined;
    const key = name.toLowerCase();
    const former = headers[key];
    headers[key] = former === undefined ? value : [former, value].flat();
  }
  const length = headers['content-length'];
  if (headers['transfer-encoding'] !== undefined || typeof length !== 'string' || !/^\d{1,15}$/.test(length)) return undefined;
  const connection = [headers['connection'] ?? []].flat().join().toLowerCase();
  return { status, headers, length: Number(length), isKept: !connection.split(',').some((token) => token.trim() === 'close') };
}

/** A request without a body, ready to be sent. Throws TypeError for what no header can carry. */
export function formatRequest(url: URL, headers: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries({ host: url.host, connection: 'keep-alive', ...headers }).map(([name, value]) => {
    if (!FIELD.test(`${name}:`) || /[^\t\x20-\x7e\x80-\xff]/.test(value))
      throw new TypeError(`the header ${JSON.stringify(name)} cannot be sent`);
    return `${name}: ${value}\r\n`;
  });
  return Buffer.from(`GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
}
