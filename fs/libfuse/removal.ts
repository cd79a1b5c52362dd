/**
 * The removal of a file that is open, which libfuse asks for by renaming the file to a name of its own. It does so for unlink(2), and also, just before, for a
 * rename(2) that replaces an open file. Were the name given up at once, those who look would find nothing between the two, and where the second fails the
 * file would be lost. So the removal waits for a moment: when the rename comes it replaces the file in one step, as it should; otherwise the name goes.
 *
 * Whoever asks for the name meanwhile ends the wait. At most one removal waits at a time.
 */

import type { NodeId } from '../contract.js';
import { finallyDo, type Later } from './later.js';
import type { PathNode, Paths } from './paths.js';

/** Milliseconds in which the rename comes, also on a busy machine. */
const MOMENT = 20;

interface Pending {
  /** Pinned. */
  readonly directory: PathNode;
  readonly name: string;
  readonly file: NodeId;
  readonly timer: NodeJS.Timeout;
}

export interface RemovalsOptions {
  readonly paths: Paths;
  readonly remove: (directory: PathNode, name: string) => Later<void>;
  /** Told of a failure, when the one who removed the file was told long since that it is gone. */
  readonly onLateError: (error: unknown, name: string) => void;
}

export class Removals {
  readonly #options: RemovalsOptions;
  #pending: Pending | undefined;

  constructor(options: RemovalsOptions) {
    this.#options = options;
  }

  /** The file of a name in a directory is to go. */
  begin(directory: PathNode, name: string, file: PathNode): void {
    this.settle();
    // Requests that have arrived are taken before the time is over.
    const timer = setTimeout(() => setImmediate(() => this.#settle(pending)), MOMENT);
    const pending = { directory: this.#options.paths.pin(directory), name, file: file.node, timer };
    this.#pending = pending;
  }

  /** Whether the name that a file is to get is the one that is to go. */
  isFor(directory: PathNode, name: string): boolean {
    return this.#pending?.directory === directory && this.#pending.name === name;
  }

  /** Whether the file has one name less than the file system says. */
  isOf(file: NodeId): boolean {
    return this.#pending?.file === file;
  }

  /** The name need not go: it was taken by another file, or could not be. */
  forgo(): void {
    if (this.#pending !== undefined) this.#end(this.#pending);
  }

  /** The name goes now, if it could be the one that a path ends in. */
  settleFor(path: string): void {
    if (this.#pending !== undefined && path.endsWith(`/${this.#pending.name}`)) this.settle();
  }

  /** What waits to be removed goes now. */
  settle(): void {
    this.#settle(this.#pending);
  }

  #settle(pending: Pending | undefined): void {
    if (pending === undefined || this.#pending !== pending) return;
    const { directory, name } = pending;
    const { remove, onLateError, paths } = this.#options;
    paths.pin(directory);
    this.#end(pending);
    const done = (): void => {
      paths.unpin(directory);
    };
    const failed = (error: unknown): void => {
      onLateError(error, name);
    };
    try {
      const removed = finallyDo(() => remove(directory, name), done);
      if (removed instanceof Promise) removed.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #end(pending: Pending): void {
    this.#pending = undefined;
    clearTimeout(pending.timer);
    this.#options.paths.unpin(pending.directory);
  }
}
