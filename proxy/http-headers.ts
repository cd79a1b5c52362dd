/** What the headers of a response say of the object (RFC 9110). */

import type { ObjectStat } from './contract.js';

/** Headers by lower-case name, as undici gives them. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export function header(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Whether a validator may stand in If-Range and If-Match, and two halves of a transfer be joined by it: a strong ETag. */
export function isStrongEtag(validator: string | null | undefined): validator is string {
  return validator?.startsWith('"') === true;
}

/** Content-Length, or null where there is none that can be believed. */
export function contentLength(headers: Headers): number | null {
  const text = header(headers, 'content-length');
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** Content-Range of a 206 (`bytes 0-9/100`) or a 416 (`bytes` of unknown place, `/100`); `total` is null where the origin does not know. */
export interface ContentRange {
  readonly range: { readonly first: number; readonly last: number } | null;
  readonly total: number | null;
}

export function parseContentRange(text: string | undefined): ContentRange | undefined {
  const match = /^bytes\s+(?:(\d{1,15})-(\d{1,15})|\*)\/(\d{1,15}|\*)$/i.exec(text?.trim() ?? '');
  if (match === null) return undefined;
  const total = match[3] === '*' ? null : Number(match[3]);
  if (match[1] === undefined) return { range: null, total };
  const [first, last] = [Number(match[1]), Number(match[2])];
  return last < first || (total !== null && last >= total) ? undefined : { range: { first, last }, total };
}

/** `size` is of the whole object. The validator is the ETag, else Last-Modified with the size. */
export function objectStat(headers: Headers, size: number | null): ObjectStat {
  const lastModified = header(headers, 'last-modified');
  const parsed = lastModified === undefined ? NaN : Date.parse(lastModified);
  const modified = Number.isNaN(parsed) ? null : parsed;
  const etag = header(headers, 'etag');
  const dated = modified === null || size === null ? null : `${lastModified}; ${size} bytes`;
  return { size, modified, validator: etag !== undefined && etag !== '' ? etag : dated };
}

/** Retry-After in milliseconds from `now`, or undefined: a number of seconds or a date. */
export function retryAfter(headers: Headers, now: number): number | undefined {
  const text = header(headers, 'retry-after')?.trim();
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
