/**
 * Content past a disk that does not take it: fetched whole, checked, and kept in memory for as long as somebody has it open. Its readers get the bytes
 * themselves.
 */

import { ButlerfsError } from '../common/errors.js';
import { CHUNK_SIZE, type Digest, type ObjectRequest, type PartialContent } from './contract.js';
import { fetchInto, type FetchObserver, type Keeper, type Sink, type Source } from './fetch.js';
import { Flights } from './flights.js';
import { pinName, type Layout, type Pin } from './layout.js';
import { readPin } from './pins.js';

/** Bytes of all that is open at a time. Beyond, opening fails as the disk did. */
const LARGEST_TOTAL = 512 * 2 ** 20;
/** Apart from the numbers of large objects that are open by chunk. */
const FIRST_ID = 2 ** 40;

interface Held {
  readonly key: string;
  readonly bytes: Buffer;
  /** Times that it is open. */
  users: number;
}

export class MemoryContents {
  readonly #layout: Layout;
  readonly #observer: FetchObserver;
  readonly #flights = new Flights();
  readonly #held = new Map<string, Held>();
  readonly #open = new Map<number, Held>();
  /** What content without a published digest was pinned to, where the disk does not take pins. */
  readonly #pins = new Map<string, Pin>();
  #total = 0;
  #nextId = FIRST_ID;

  constructor(layout: Layout, observer: FetchObserver) {
    this.#layout = layout;
    this.#observer = observer;
  }

  has(id: number): boolean {
    return this.#open.has(id);
  }

  /** `key`: the same for requests that the same fetch can satisfy. Rejects as `ObjectCache.ensure` does; `cache-full` where memory has no room either. */
  async open(key: string, request: ObjectRequest, source: Source, signal: AbortSignal | undefined): Promise<PartialContent> {
    await this.#flights.join(key, `fetching ${source.name}`, signal, async (leader) => {
      if (this.#held.has(key)) return;
      const held: Held = { key, bytes: await this.#fetch(request, source, leader), users: 0 };
      this.#held.set(key, held);
      this.#total += held.bytes.length;
      // Whoever waits opens it in the same turn; nobody does where all have left.
      setImmediate(() => this.#dropUnused(held));
    });
    const held = this.#held.get(key);
    if (held === undefined) throw this.#noRoom(source.name);
    held.users++;
    const id = this.#nextId++;
    this.#open.set(id, held);
    const { length: size } = held.bytes;
    const present = new Uint8Array(new SharedArrayBuffer(Math.ceil(size / CHUNK_SIZE)));
    return { kind: 'partial', id, size, chunkSize: CHUNK_SIZE, path: null, present };
  }

  /** The bytes, fewer at the end. */
  read(id: number, offset: number, length: number): Uint8Array {
    const held = this.#open.get(id);
    if (held === undefined) throw new ButlerfsError('internal', { what: 'reading content in memory', why: 'it is not open' });
    return held.bytes.subarray(offset, offset + length);
  }

  closeOne(id: number): void {
    const held = this.#open.get(id);
    this.#open.delete(id);
    if (held === undefined) return;
    held.users--;
    this.#dropUnused(held);
  }

  async close(): Promise<void> {
    await this.#flights.close();
    this.#open.clear();
    this.#held.clear();
    this.#total = 0;
  }

  async #fetch(request: ObjectRequest, source: Source, signal: AbortSignal): Promise<Buffer> {
    const sink = new MemorySink(() => this.#noRoom(source.name), LARGEST_TOTAL - this.#total);
    const name = pinName(request);
    const keeper: Keeper = {
      createSink: (size) => {
        if (this.#total + (size ?? 0) > LARGEST_TOTAL) throw this.#noRoom(source.name);
        sink.clear();
        return Promise.resolve(sink);
      },
      readPin: async () => this.#pins.get(name) ?? (await readPin(this.#layout, request).catch(() => undefined)),
      createPin: ({ validator, size, digest }) => {
        const { origin, member = null, identity } = request;
        const pin = this.#pins.get(name) ?? { origin, member, identity, validator, size, digest };
        this.#pins.set(name, pin);
        return Promise.resolve(pin);
      },
    };
    await fetchInto(keeper, this.#layout, request, source, this.#observer, signal);
    return sink.content();
  }

  #dropUnused(held: Held): void {
    if (held.users > 0 || this.#held.get(held.key) !== held) return;
    this.#held.delete(held.key);
    this.#total -= held.bytes.length;
  }

  #noRoom(name: string): ButlerfsError {
    return new ButlerfsError('cache-full', {
      what: `reading ${name}`,
      where: this.#layout.directory,
      why: `its disk takes nothing, and ${LARGEST_TOTAL} bytes of memory are in use for what is open`,
      advice: 'free some space, or put the cache on a larger disk with --cache',
    });
  }
}

class MemorySink implements Sink {
  readonly #noRoom: () => ButlerfsError;
  readonly #limit: number;
  #parts: Buffer[] = [];
  size = 0;

  constructor(noRoom: () => ButlerfsError, limit: number) {
    this.#noRoom = noRoom;
    this.#limit = limit;
  }

  clear(): void {
    this.#parts = [];
    this.size = 0;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.size + bytes.length > this.#limit) return Promise.reject(this.#noRoom());
    // The source may use its buffer again.
    this.#parts.push(Buffer.from(bytes));
    this.size += bytes.length;
    return Promise.resolve();
  }

  publish(_digest: Digest): Promise<boolean> {
    return Promise.resolve(true);
  }

  discard(): Promise<void> {
    this.clear();
    return Promise.resolve();
  }

  content(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
