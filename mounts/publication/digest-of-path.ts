/** SHA-256 of a whole file. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** Rejects with what the system says, or with an AbortError. */
export async function digestOfPath(file: string, signal: AbortSignal): Promise<{ readonly size: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const bytes of createReadStream(file, { highWaterMark: 1 << 20, signal })) {
    hash.update(bytes as Buffer);
    size += (bytes as Buffer).length;
  }
  return { size, sha256: hash.digest('hex') };
}
