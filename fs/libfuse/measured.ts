/**
 * Files whose size is not known before they are opened (`@status`). The kernel reads no further than the size it was told, and libfuse cannot be told to
 * read such a file past the page cache: so the text is made when its size is asked for, and for a moment that same text is what opening the file gives.
 */

import { type Attributes, type Caller, type FileSystem, type NodeId, type OpenedFile } from '../contract.js';
import { isRegularMode } from '../file-type.js';
import { type Later, andThen, type Waits } from './later.js';

/** Milliseconds for which a text is what the file holds: longer than the kernel keeps the size. */
const KEPT = 2_000;
/** Bytes; what is longer is cut off. */
const LONGEST = 1 << 20;

export interface MeasuredFile {
  readonly node: NodeId;
  readonly opened: OpenedFile;
  readonly size: number;
  readonly until: number;
  uses: number;
}

export class Measured {
  readonly #fileSystem: FileSystem;
  readonly #waits: Waits;
  readonly #caller: Caller;
  readonly #byNode = new Map<NodeId, MeasuredFile>();

  constructor(fileSystem: FileSystem, waits: Waits, caller: Caller) {
    this.#fileSystem = fileSystem;
    this.#waits = waits;
    this.#caller = caller;
  }

  /** Whether these are attributes of such a file: of nothing that can be written, empty, and so only for now. */
  isDue({ size, validity, mode }: Attributes): boolean {
    return size === 0 && validity === 0 && isRegularMode(mode) && !this.#fileSystem.traits.writable;
  }

  /** Bytes that the file has for the next moment. */
  size(node: NodeId): Later<number> {
    const known = this.current(node);
    if (known !== undefined) return known.size;
    const request = { flags: 0, killSetId: false };
    const opened = this.#waits.when(this.#fileSystem.open(node, request, this.#caller), (file) => file);
    return andThen(opened, (file) => this.#take(node, file));
  }

  /** The text of the moment, where its size was asked for. */
  current(node: NodeId): MeasuredFile | undefined {
    const known = this.#byNode.get(node);
    if (known === undefined || performance.now() < known.until) return known;
    this.#byNode.delete(node);
    this.#closeUnused(known);
    return undefined;
  }

  /** One who opened it closed it. */
  closed(measured: MeasuredFile): void {
    measured.uses--;
    if (this.#byNode.get(measured.node) !== measured) this.#closeUnused(measured);
  }

  close(): void {
    for (const measured of this.#byNode.values()) this.#closeUnused(measured);
    this.#byNode.clear();
  }

  #take(node: NodeId, opened: OpenedFile): number {
    const size = opened.direct === true ? this.#fileSystem.read(opened, Buffer.alloc(LONGEST), 0, LONGEST, 0) : 0;
    if (typeof size !== 'number' || size === 0) {
      this.#fileSystem.release(node, opened, undefined);
      return 0;
    }
    const before = this.#byNode.get(node);
    this.#byNode.set(node, { node, opened, size, until: performance.now() + KEPT, uses: 0 });
    if (before !== undefined) this.#closeUnused(before);
    return size;
  }

  #closeUnused(measured: MeasuredFile): void {
    if (measured.uses === 0) this.#fileSystem.release(measured.node, measured.opened, undefined);
  }
}
