/**
 * Long answers of HTTP/1.1, received into memory that is used again.
 *
 * undici gives every piece of a body memory of its own and takes it through its parser; for a gigabyte that is a second of a processor, and as much again for V8's
 * collector. What is only bytes of a known number needs none of it. Everything else stays with undici: whatever is not plain here is answered with `undefined`,
 * and asked there.
 */

import type { Headers } from '../http-headers.js';

/** The bytes of an answer; as much of undici's body as others here use. */
export interface AnswerBody extends AsyncIterable<Uint8Array> {
  /** Whether all of it was read. */
  readonly readableEnded: boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
  /** Reads the rest where it has no more than `limit` bytes, so that the connection can be used again; else closes it. */
  dump(options: { readonly limit: number; readonly signal?: AbortSignal }): Promise<void>;
  /** Closes the connection, where not all was read. Idempotent. */
  destroy(): unknown;
}

export interface BulkRequest {
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Aborting closes the connection. */
  readonly signal: AbortSignal;
}

/** A chunk of the body is valid until the next is asked for. It can be iterated once. */
export interface BulkAnswer {
  readonly statusCode: number;
  readonly headers: Headers;
  readonly body: AnswerBody;
}

export interface BulkConnections {
  /**
   * GET. Undefined where the answer, or the connection, is not of the plain kind, or was not a moment ago: then nothing of it was used. Rejects with the errors of Node's sockets, or with
   * the signal's reason.
   */
  get(url: URL, request: BulkRequest): Promise<BulkAnswer | undefined>;
  /** Closes all connections; answers under way fail. Idempotent. */
  destroy(): void;
}
