/** A directory, whole. */

import { type Attributes, type DirectoryPosition, type FileSystem, isWaiting, type NodeId } from '../contract.js';
import { FileType } from '../file-type.js';
import { listedArray, textFromName } from './conversion.js';
import { type Later, andThen, type Waits } from './later.js';
import type { PathNode } from './paths.js';

const START: DirectoryPosition = { low: 0, high: 0 };

/** Names, and for each what {@link listedArray} says of it. */
export interface Listed {
  readonly names: readonly string[];
  readonly attributes: readonly Uint32Array[];
}

export function listDirectory(fileSystem: FileSystem, waits: Waits, directory: PathNode): Later<Listed> {
  const { nameEncoding } = fileSystem.traits;
  const names = ['.', '..'];
  const attributes = [directory, directory.parent ?? directory].map(({ node }) =>
    listedArray(FileType.DIRECTORY, inodeNumber(fileSystem, node)),
  );
  const sink = {
    plus: false,
    fits: () => true,
    add: (name: string, _next: DirectoryPosition, type: number, ino: number) => {
      // They are there already, in the numbers of this transport.
      if (name === '.' || name === '..') return;
      names.push(textFromName(name, nameEncoding));
      attributes.push(listedArray(type, ino));
    },
  };
  const answer = fileSystem.list(directory.node, START, sink, undefined);
  if (!isWaiting(answer)) return { names, attributes };
  return andThen(
    waits.when(answer, () => undefined),
    () => listDirectory(fileSystem, waits, directory),
  );
}

/** 0 where it is not known at once. */
function inodeNumber(fileSystem: FileSystem, node: NodeId): number {
  const attributes = fileSystem.attributes(node, undefined);
  return isWaiting<Attributes>(attributes) ? 0 : attributes.ino;
}
