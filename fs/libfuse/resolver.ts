/** Where operations find the nodes that their paths lead to. */

import { Errno, errnoOf } from '../../common/errors.js';
import type { Answer, FileSystem, NodeId } from '../contract.js';
import { nameFromText } from './conversion.js';
import { finallyDo, type Later, orElse, andThen, type Waits } from './later.js';
import { type PathNode, Paths, splitPath } from './paths.js';
import { Removals } from './removal.js';
import { required } from './required.js';

export interface ResolverOptions {
  readonly fileSystem: FileSystem;
  readonly waits: Waits;
  /** Told of what fails when its answer was given already. */
  readonly onLateError: (error: unknown, operation: string, path: string) => void;
}

export class Resolver {
  readonly paths: Paths;
  readonly removals: Removals;
  readonly waits: Waits;
  readonly #fileSystem: FileSystem;

  constructor({ fileSystem, waits, onLateError }: ResolverOptions) {
    this.#fileSystem = fileSystem;
    this.waits = waits;
    this.paths = new Paths(fileSystem, waits);
    this.removals = new Removals({
      paths: this.paths,
      remove: (directory, name) => this.remove(directory, name, required(fileSystem.unlink)),
      onLateError: (error, name) => {
        onLateError(error, 'unlink', `/${name}`);
      },
    });
  }

  /**
   * Does something with the node at a path. Where a remembered name turns out to lead to what is no more (another changed the files behind the mount), all
   * names are looked up anew, once: as the kernel does with ESTALE.
   */
  at<T>(path: string, work: (found: PathNode) => Later<T>): Later<T> {
    this.removals.settleFor(path);
    const attempt = (): Later<T> =>
      andThen(this.paths.find(path), (found) =>
        finallyDo(
          () => work(found),
          () => {
            this.paths.unpin(found);
          },
        ),
      );
    return orElse(attempt, (error) => {
      if (errnoOf(error) !== Errno.ESTALE) throw error;
      this.paths.expireAll();
      return attempt();
    });
  }

  /** Does something with a name, which may lead to nothing, in the directory that it is in. */
  within<T>(path: string, work: (directory: PathNode, name: string) => Later<T>): Later<T> {
    this.removals.settleFor(path);
    const { directory, name } = splitPath(path);
    return this.at(directory, (found) => work(found, name));
  }

  /** Takes a name away by a method of the file system that does so. */
  remove(directory: PathNode, name: string, method: (parent: NodeId, name: string) => Answer<void>): Later<void> {
    return this.waits.when(method.call(this.#fileSystem, directory.node, this.name(name)), () => {
      this.paths.removed(directory, name);
    });
  }

  /** A name as the file system has it. */
  name(text: string): string {
    return nameFromText(text, this.#fileSystem.traits.nameEncoding);
  }

  done(answer: Answer<unknown>): Later<void> {
    return this.waits.when(answer, () => undefined);
  }
}
