/** The HDUs of a file, as far as that is known without asking anybody. */

import { readFileSync, readSync } from 'node:fs';
import type { ObjectRequest } from '../../cache/contract.js';
import { parseIndex } from '../../sky/fits/index-text.js';
import { type FitsIndex, FitsScan } from '../../sky/fits/scan.js';
import type { ContentSource } from '../content.js';
import { partRequest } from './dataset-file.js';

/**
 * The index of the file that `request` is for: from the cache, where a part of it was read before, or from the file itself where the whole is here. Undefined
 * where neither is, or the file is no FITS file.
 */
export function indexIfPresent({ reader }: ContentSource, request: ObjectRequest): FitsIndex | undefined {
  const kept = reader.openIfPresent(partRequest(request, { kind: 'index' }));
  if (kept !== undefined) {
    try {
      return parseIndex(readFileSync(kept.fd, 'latin1'));
    } finally {
      reader.close(kept);
    }
  }
  const whole = reader.openIfPresent(request);
  if (whole === undefined) return undefined;
  try {
    return scanned(whole.fd, whole.size);
  } catch {
    return undefined;
  } finally {
    reader.close(whole);
  }
}

function scanned(fd: number, size: number): FitsIndex {
  const scan = new FitsScan(size);
  for (let want = scan.next(); want !== undefined; want = scan.next()) {
    const bytes = Buffer.alloc(want.length);
    scan.give(bytes.subarray(0, readSync(fd, bytes, 0, want.length, want.offset)));
  }
  return scan.index();
}
