/** Pins: what content without a published digest must go on being. */

import { readFileSync, statSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LRUCache } from 'lru-cache';
import { createFileAtomically } from '../common/atomic.js';
import { ButlerfsError } from '../common/errors.js';
import type { ObjectRequest } from './contract.js';
import { partKey } from './fits/request.js';
import { parseJson, pinName, pinSchema, type Layout, type Pin } from './layout.js';

/** Pins kept in memory; a few hundred bytes each. */
const REMEMBERED = 10_000;

interface Remembered {
  readonly path: string;
  readonly inode: number;
  readonly modified: number;
  readonly pin: Pin | undefined;
}

/** Reads pins synchronously; a pin is read from disk once, then only looked at. */
export class PinReader {
  readonly #layout: Layout;
  /** Made at the first pin: it takes its memory at once, and repositories with digests never need it. */
  #remembered: LRUCache<string, Remembered> | undefined;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Undefined where there is none or it is damaged. */
  find(request: ObjectRequest): Pin | undefined {
    const key = `${request.origin}\0${request.member ?? '\0'}\0${request.identity}\0${partKey(request) ?? ''}`;
    this.#remembered ??= new LRUCache<string, Remembered>({ max: REMEMBERED });
    const known = this.#remembered.get(key);
    const path = known?.path ?? this.#layout.pin(pinName(request));
    const info = statSync(path, { throwIfNoEntry: false });
    if (info === undefined) return undefined;
    if (known?.inode === info.ino && known.modified === info.mtimeMs) return known.pin;
    const pin = parsePin(readFileSync(path, 'utf8'), request);
    this.#remembered.set(key, { path, inode: info.ino, modified: info.mtimeMs, pin });
    return pin;
  }
}

/** The pin of the request, or undefined where there is none. Throws `cache-failed` for a damaged one. */
export async function readPin(layout: Layout, request: ObjectRequest): Promise<Pin | undefined> {
  const path = layout.pin(pinName(request));
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const pin = parsePin(text, request);
  if (pin !== undefined) return pin;
  throw new ButlerfsError('cache-failed', {
    what: `the pin ${path}`,
    why: 'it is damaged',
    advice: 'remove it; the next fetch makes a new one',
  });
}

/** Pins the content, or finds that another process did: the pin that now counts. */
export async function createPin(layout: Layout, request: ObjectRequest, content: Pick<Pin, 'validator' | 'size' | 'digest'>): Promise<Pin> {
  const { origin, member = null, identity } = request;
  const part = partKey(request);
  const pin: Pin = { origin, member, identity, ...(part === undefined ? {} : { part }), ...content };
  const path = layout.pin(pinName(request));
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  if (await createFileAtomically(path, `${JSON.stringify(pin)}\n`)) return pin;
  return (await readPin(layout, request)) ?? pin;
}

function parsePin(text: string, request: ObjectRequest): Pin | undefined {
  const parsed = pinSchema.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const pin = parsed.data;
  const { origin, member = null, identity } = request;
  const isSame = pin.origin === origin && pin.member === member && pin.identity === identity && pin.part === partKey(request);
  return isSame ? pin : undefined;
}
