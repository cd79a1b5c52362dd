/** Content that is open for reading through the process that fetches it, by number. */

import { ButlerfsError } from '../../common/errors.js';
import type { PartialContent } from '../contract.js';

/** Content that can be read before, or without, all of it lying in a file. */
export interface ReadableContent {
  readonly size: number;
  readonly chunkSize: number;
  readonly path: string | null;
  readonly present: PartialContent['present'];
  /** As {@link ObjectCache.readPartial}. */
  read(offset: number, length: number, signal: AbortSignal | undefined): Promise<Uint8Array | undefined>;
  advance(chunk: number): void;
  /** Frees what it holds. Idempotent. */
  close(): Promise<void>;
}

interface Opened {
  readonly id: number;
  readonly key: string;
  readonly content: Promise<ReadableContent>;
  uses: number;
}

export class OpenedContents {
  readonly #byId = new Map<number, Opened>();
  readonly #byKey = new Map<string, Opened>();
  readonly #closing = new Set<Promise<void>>();
  #next = 1;

  get size(): number {
    return this.#byId.size;
  }

  /** One use more of the content under `key`, which is opened where nobody has it open. */
  async open(key: string, open: () => Promise<ReadableContent>): Promise<PartialContent> {
    const opened = this.#byKey.get(key) ?? this.#begin(key, open);
    opened.uses++;
    try {
      const { size, chunkSize, path, present } = await opened.content;
      return { kind: 'partial', id: opened.id, size, chunkSize, path, present };
    } catch (error) {
      this.close(opened.id);
      throw error;
    }
  }

  /** Whether the content under `key` is open; then {@link open} opens nothing. */
  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  idOf(key: string): number | undefined {
    return this.#byKey.get(key)?.id;
  }

  /** Whoever opens this key from now on gets content of its own. */
  forget(key: string): void {
    this.#byKey.delete(key);
  }

  async read(id: number, offset: number, length: number, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    const opened = this.#byId.get(id);
    if (opened === undefined) throw new ButlerfsError('internal', { what: `reading content ${id}`, why: 'it is not open' });
    return (await opened.content).read(offset, length, signal);
  }

  advance(id: number, chunk: number): void {
    this.#byId
      .get(id)
      ?.content.then((content) => content.advance(chunk))
      .catch(() => undefined);
  }

  /** One use less; the last closes it. */
  close(id: number): void {
    const opened = this.#byId.get(id);
    if (opened === undefined || --opened.uses > 0) return;
    this.#end(opened);
  }

  async closeAll(): Promise<void> {
    for (const opened of this.#byId.values()) this.#end(opened);
    await Promise.all(this.#closing);
  }

  #begin(key: string, open: () => Promise<ReadableContent>): Opened {
    const opened: Opened = { id: this.#next++, key, content: open(), uses: 0 };
    opened.content.catch(() => undefined);
    this.#byId.set(opened.id, opened);
    this.#byKey.set(key, opened);
    return opened;
  }

  #end(opened: Opened): void {
    this.#byId.delete(opened.id);
    if (this.#byKey.get(opened.key) === opened) this.#byKey.delete(opened.key);
    const closing = opened.content.then((content) => content.close()).catch(() => undefined);
    this.#closing.add(closing);
    void closing.then(() => this.#closing.delete(closing));
  }
}
