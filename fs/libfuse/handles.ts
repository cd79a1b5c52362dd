/** Open files by the numbers that libfuse keeps for them. */

import { Errno, systemCallError } from '../../common/errors.js';
import type { OpenedFile } from '../contract.js';
import type { PathNode, Paths } from './paths.js';

export interface OpenHandle {
  /** The path that it was opened by, pinned while it is open, so that its node stays known whatever becomes of the path. */
  readonly file: PathNode;
  readonly opened: OpenedFile;
  /** Bytes, where the attributes do not say it: see measured.ts. */
  readonly size?: number;
  /** Gives the opened file back. */
  readonly close: () => void;
}

export class Handles {
  readonly #paths: Paths;
  /** Numbers of closed files are used again; 0 stands for none. */
  readonly #handles: (OpenHandle | undefined)[] = [undefined];
  readonly #free: number[] = [];

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /** Files that are open. */
  get size(): number {
    return this.#handles.length - 1 - this.#free.length;
  }

  add(handle: OpenHandle): number {
    this.#paths.pin(handle.file);
    const number = this.#free.pop() ?? this.#handles.length;
    this.#handles[number] = handle;
    return number;
  }

  /** Throws EBADF. */
  get(number: number): OpenHandle {
    const handle = this.#handles[number];
    if (handle === undefined) throw systemCallError(Errno.EBADF);
    return handle;
  }

  release(number: number): void {
    const handle = this.get(number);
    this.#handles[number] = undefined;
    this.#free.push(number);
    handle.close();
    this.#paths.unpin(handle.file);
  }

  closeAll(): void {
    for (let number = 1; number < this.#handles.length; number++) if (this.#handles[number] !== undefined) this.release(number);
  }
}
