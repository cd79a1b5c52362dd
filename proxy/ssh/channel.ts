/** What carries an SFTP session: the client's end of the subsystem, wherever the rest of SSH is done. */

import type { Readable } from 'node:stream';

export interface SftpChannel {
  /** Bytes from the server, valid during the call; `end` and `close` when there are no more; `error` for what went wrong with the transport. */
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end' | 'close', listener: () => void): unknown;
  /** What the server's side has to say to people. */
  readonly stderr: Readable;
  write(bytes: Uint8Array): unknown;
  /** Ends it. Idempotent. */
  close(): void;
}
