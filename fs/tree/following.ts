/**
 * Files that are opened one after the other in the order of a listing: the next ones are named to the cache, which may fetch them ahead.
 *
 * Two files follow each other where their paths differ in one component only (beside the name of a dataset's file, which follows from its path), and that
 * component is listed right after the other: the next patch of the same tract and band, the next detector, the next file of a directory. The first file that
 * follows another brings two ahead, and each that follows brings more, up to a limit; a file that follows none brings nothing.
 */

import type { ObjectRequest } from '../../cache/contract.js';
import type { ContentSource } from '../content.js';
import { ContentFile } from './content-file.js';
import { DatasetFile } from './dataset-file.js';
import { DirectoryNode, type Listing, type TreeNode } from './node.js';

/** Sequences that are followed at a time, and files that a next one may follow. */
const SEQUENCES = 16;
const RECENT = 32;
const FIRST = 2;
/** Files named ahead of the one that is opened, at most, and their bytes. */
const MOST_FILES = 32;
const MOST_BYTES = 64 * 2 ** 20;
/** Sequences in directories with more entries are not followed: finding a place in them takes too long. */
const LONGEST = 200_000;

type Names = readonly string[];

interface Sequence {
  /** Components of the path of the file that was opened last, and which of them changes. */
  names: Names;
  readonly level: number;
  readonly listing: Listing;
  /** Position in the listing of the file that was opened last, and the one after the last that was named. */
  at: number;
  named: number;
  ahead: number;
}

export class FollowingFiles {
  readonly #content: ContentSource;
  /** The latest last. */
  #sequences: Sequence[] = [];
  #recent: Names[] = [];

  constructor(content: ContentSource) {
    this.#content = content;
  }

  /** A file is being opened. `isHere`: its content need not be fetched. */
  opened(file: ContentFile, isHere: boolean): void {
    // What is here already may have been fetched ahead; without any sequence there is nothing to follow.
    if (isHere && this.#sequences.length === 0) return;
    const chain = chainOf(file);
    const names = chain.map(({ name }) => name);
    // One file may be the next of several: of its patch the next band, and of its band the next patch.
    const sequences = this.#next(chain, names);
    this.#begin(chain, names, sequences);
    keep(this.#recent, names, RECENT);
    if (sequences.length === 0) return;
    this.#sequences = this.#sequences.filter((other) => !sequences.includes(other));
    for (const sequence of sequences) keep(this.#sequences, sequence, SEQUENCES);
    for (const sequence of sequences) this.#nameNext(sequence, chain);
  }

  /** The tree is another: its listings are no longer what they were. */
  clear(): void {
    this.#sequences = [];
    this.#recent = [];
  }

  /** The sequences of which this is the next file. */
  #next(chain: readonly TreeNode[], names: Names): Sequence[] {
    const isDataset = chain.at(-1) instanceof DatasetFile;
    return this.#sequences.filter((sequence) => {
      const { names: former, level, listing, at } = sequence;
      if (onlyDifference(former, names, isDataset) !== level) return false;
      if (at + 1 >= listing.count || listing.at(at + 1).name !== names[level]) return false;
      Object.assign(sequence, { names, at: at + 1 });
      return true;
    });
  }

  /** Adds to `sequences` new ones, one for each level at which the file follows another that was opened lately and none is there. */
  #begin(chain: readonly TreeNode[], names: Names, sequences: Sequence[]): void {
    const isDataset = chain.at(-1) instanceof DatasetFile;
    const levels = new Map<number, Names>();
    for (const former of this.#recent) {
      const level = onlyDifference(former, names, isDataset);
      if (level !== undefined) levels.set(level, former);
    }
    for (const [level, former] of [...levels].sort(([a], [b]) => b - a)) {
      if (sequences.some((sequence) => sequence.level === level)) continue;
      const listing = chain[level]!.parent === undefined ? undefined : shortListing(chain[level]!.parent);
      const at = listing === undefined ? -1 : positionOf(listing, names[level]!);
      if (listing === undefined || at < 1 || at + 1 >= listing.count || listing.at(at - 1).name !== former[level]) continue;
      sequences.push({ names, level, listing, at, named: at + 1, ahead: 0 });
    }
  }

  #nameNext(sequence: Sequence, chain: readonly TreeNode[]): void {
    sequence.ahead = Math.min(MOST_FILES, Math.max(FIRST, 2 * sequence.ahead));
    const { listing, level, at, ahead } = sequence;
    sequence.named = Math.max(sequence.named, at + 1);
    // As long as half of them are still to come, no more are named: few messages with many names.
    if (sequence.named - at - 1 > ahead / 2) return;
    const requests: ObjectRequest[] = [];
    let bytes = 0;
    const end = Math.min(at + 1 + ahead, listing.count);
    for (; sequence.named < end && bytes < MOST_BYTES; sequence.named++) {
      const file = fileAt(listing.at(sequence.named).node(), chain, level + 1);
      if (file?.size == null || file.size > MOST_BYTES / 4) continue;
      const request = requestOf(file);
      if (request === undefined) continue;
      bytes += file.size;
      requests.push(request);
    }
    if (requests.length > 0) this.#content.expect(requests);
  }
}

/** What brings the file; undefined where it may not be had, which is for whoever opens it to hear. */
function requestOf(file: ContentFile): ObjectRequest | undefined {
  try {
    return file.request();
  } catch {
    return undefined;
  }
}

function keep<T>(list: T[], item: T, most: number): void {
  list.push(item);
  if (list.length > most) list.shift();
}

/** The nodes from below the root down to the file. */
function chainOf(file: TreeNode): TreeNode[] {
  const chain: TreeNode[] = [];
  for (let node: TreeNode | undefined = file; node?.parent !== undefined; node = node.parent) chain.unshift(node);
  return chain;
}

/** The one component in which two paths differ; undefined where they differ in none or several. The name of a dataset's file does not count. */
function onlyDifference(former: readonly string[], names: readonly string[], isDataset: boolean): number | undefined {
  if (former.length !== names.length) return undefined;
  let difference: number | undefined;
  for (let level = 0; level < names.length - (isDataset ? 1 : 0); level++) {
    if (former[level] === names[level]) continue;
    if (difference !== undefined) return undefined;
    difference = level;
  }
  return difference;
}

function shortListing(directory: DirectoryNode): Listing | undefined {
  const listing = directory.listing();
  return listing.count <= LONGEST ? listing : undefined;
}

function positionOf(listing: Listing, name: string): number {
  for (let index = 0; index < listing.count; index++) if (listing.at(index).name === name) return index;
  return -1;
}

/** The file below `node` at the place of the last of `chain`, whose components from `level` on it shares. */
function fileAt(node: TreeNode, chain: readonly TreeNode[], level: number): ContentFile | undefined {
  const last = chain.at(-1)!;
  let at = node;
  for (let next = level; next < chain.length && at instanceof DirectoryNode; next++) {
    const below = next === chain.length - 1 && last instanceof DatasetFile ? fileLike(at, last) : nodeNamed(at, chain[next]!.name);
    if (below === undefined) return undefined;
    at = below;
  }
  return at instanceof ContentFile ? at : undefined;
}

/** The file of the same component in another leaf. */
function fileLike(leaf: DirectoryNode, { component }: DatasetFile): TreeNode | undefined {
  const listing = leaf.listing();
  for (let index = 0; index < listing.count; index++) {
    const node = listing.at(index).node();
    if (node instanceof DatasetFile && node.component === component) return node;
  }
  return undefined;
}

function nodeNamed(directory: DirectoryNode, name: string): TreeNode | undefined {
  try {
    return directory.find(name);
  } catch {
    // That patch has no such band: the next may.
    return undefined;
  }
}
