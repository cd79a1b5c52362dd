/** What the tree needs to know of content: where it is, whether it is here, how to wait for it. Given to it by mounts/. */

import type { ObjectReader, ObjectRequest, PartialContent, WholeContent } from '../cache/contract.js';
import type { StoredFile } from '../registry/contract.js';
import type { Waiting } from './contract.js';

export interface ContentSource {
  /** Objects that are here already; synchronous. */
  readonly reader: ObjectReader;
  /** Told of every open that needed no fetch. */
  onHit(): void;
  /**
   * The request that brings a file of the repository. `identity` names the version: a dataset's UUID with its component.
   * Throws `remote-forbidden` where its location leads outside what the mount may read.
   */
  request(file: Pick<StoredFile, 'location' | 'member' | 'size' | 'checksum'>, identity: string): ObjectRequest;
  /** Waits until the object is here, or can be read by chunk. Who gets a partial one gives it to {@link closePartial} exactly once. */
  open(request: ObjectRequest): Waiting<WholeContent | PartialContent>;
  /** Waits until these bytes of a partial object are present, or brings them where no file holds them. */
  readPartial(id: number, offset: number, length: number): Waiting<Uint8Array | undefined>;
  /** A reader came to this chunk of a partial object, which was present: what follows may be fetched ahead. */
  advance(id: number, chunk: number): void;
  closePartial(id: number): void;
  /** These will probably be opened soon, in this order: they may be fetched ahead. */
  expect(requests: readonly ObjectRequest[]): void;
  /** Asks the origin for the size of an object whose size is not published. */
  size(request: ObjectRequest): Waiting<{ readonly size: number }>;
  /**
   * Reads from an open object of the cache: as {@link FileSystem.read} does it. A {@link Waiting} where its bytes are not in memory and the thread that asks
   * must not wait for the disk.
   */
  read(fd: number, into: Buffer, at: number, size: number, offset: number): number | Waiting<unknown>;
  /** The mount's state as a JSON document. */
  status(): Waiting<{ readonly text: string }>;
}
