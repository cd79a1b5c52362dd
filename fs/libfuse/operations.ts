/**
 * The operations of libfuse, which name files by path and open files by number, on a {@link FileSystem}, which knows nodes. Each answers at once where the
 * file system does, and throws or rejects with what the file system fails with.
 */

import { Errno, systemCallError } from '../../common/errors.js';
import type {
  Answer,
  AttributeChanges,
  Attributes,
  Caller,
  Entry,
  FileSystem,
  FileSystemTraits,
  NodeId,
  OpenedFile,
  OpenRequest,
} from '../contract.js';
import { bytesFromText, statArray, textFromBytes, totalsArray, withSize } from './conversion.js';
import { ExtendedAttributes } from './extended-attributes.js';
import { Handles } from './handles.js';
import { finallyDo, type Later, andThen, type Waits } from './later.js';
import { type Listed, listDirectory } from './listing.js';
import { Measured } from './measured.js';
import { type PathNode, splitPath } from './paths.js';
import { required } from './required.js';
import { Resolver } from './resolver.js';

/** libfuse passes it on, fuse-native does not. The kernel has applied the umask. */
const UNKNOWN_CALLER: Caller = { uid: -1, gid: -1, pid: 0, umask: 0 };
/** What libfuse calls a file that is removed while it is open. */
const HIDDEN_NAME = /^\.fuse_hidden[0-9a-f]{16}$/;
const O_RDWR = 2;
const SET_ID = 0o6000;

export interface OperationsOptions {
  readonly fileSystem: FileSystem;
  readonly waits: Waits;
  /** Whether what is created may get set-ID bits: not where others, whom the new file does not belong to, may create. */
  readonly keepsSetId: boolean;
  /** Told of what fails when its answer was given already. */
  readonly onLateError: (error: unknown, operation: string, path: string) => void;
}

export class PathOperations {
  readonly extendedAttributes: ExtendedAttributes;
  readonly #fileSystem: FileSystem;
  readonly #encoding: FileSystemTraits['nameEncoding'];
  readonly #waits: Waits;
  readonly #resolver: Resolver;
  readonly #handles: Handles;
  readonly #measured: Measured;
  readonly #creationMask: number;

  constructor({ fileSystem, waits, keepsSetId, onLateError }: OperationsOptions) {
    this.#fileSystem = fileSystem;
    this.#encoding = fileSystem.traits.nameEncoding;
    this.#waits = waits;
    this.#resolver = new Resolver({ fileSystem, waits, onLateError });
    this.extendedAttributes = new ExtendedAttributes(fileSystem, this.#resolver);
    this.#handles = new Handles(this.#resolver.paths);
    this.#measured = new Measured(fileSystem, waits, UNKNOWN_CALLER);
    this.#creationMask = keepsSetId ? 0o7777 : 0o7777 & ~SET_ID;
  }

  /** Files that are open. */
  get open(): number {
    return this.#handles.size;
  }

  /** Names may lead elsewhere than they did. */
  expireNames(): void {
    this.#resolver.paths.expireAll();
  }

  /** Forgets the names that were not used for so many milliseconds. */
  forgetUnused(milliseconds: number): void {
    this.#resolver.paths.forgetUnused(milliseconds);
  }

  /** Closes everything; nothing may be asked afterwards. */
  close(): void {
    this.#resolver.removals.settle();
    this.#handles.closeAll();
    this.#measured.close();
    this.#resolver.paths.clear();
  }

  attributes(path: string): Later<Uint32Array> {
    if (path === '/') return this.#resolver.at(path, (found) => this.#stat(found));
    return this.#resolver.within(path, (directory, name) => {
      let seen: Uint32Array | undefined;
      const found = this.#resolver.paths.child(directory, name, ({ node, attributes }) => {
        if (!this.#measured.isDue(attributes)) seen = this.#words(node, attributes);
      });
      return andThen(found, (child) =>
        finallyDo(
          () => seen ?? this.#stat(child),
          () => {
            this.#resolver.paths.unpin(child);
          },
        ),
      );
    });
  }

  attributesOfOpen(fd: number): Later<Uint32Array> {
    const { file, opened, size } = this.#handles.get(fd);
    return this.#waits.when(this.#fileSystem.attributes(file.node, opened), (attributes) => {
      const words = this.#words(file.node, attributes);
      return size === undefined ? words : withSize(words, size);
    });
  }

  totals(path: string): Later<Uint32Array> {
    return this.#resolver.at(path, ({ node }) => totalsArray(this.#fileSystem.totals(node)));
  }

  readLink(path: string): Later<string> {
    return this.#resolver.at(path, ({ node }) => textFromBytes(this.#fileSystem.readLink(node)));
  }

  list(path: string): Later<Listed> {
    this.#resolver.removals.settle();
    return this.#resolver.at(path, (directory) => listDirectory(this.#fileSystem, this.#waits, directory));
  }

  openFile(path: string, flags: number): Later<number> {
    return this.#resolver.at(path, (file) => {
      const measured = this.#measured.current(file.node);
      if (measured === undefined) {
        return this.#waits.when(this.#fileSystem.open(file.node, { flags, killSetId: false }, UNKNOWN_CALLER), (opened) =>
          this.#opened(file, opened),
        );
      }
      measured.uses++;
      const { opened, size } = measured;
      return this.#handles.add({ file, opened, size, close: () => this.#measured.closed(measured) });
    });
  }

  /** How the file was asked to be opened is not known: for reading and writing, which its maker may do whatever the mode. */
  create(path: string, mode: number): Later<number> {
    return this.#resolver.within(path, (directory, name) => {
      const make = required(this.#fileSystem.create);
      const request: OpenRequest = { flags: O_RDWR, killSetId: false };
      const creationMode = mode & this.#creationMask;
      return this.#waits.when(
        make.call(this.#fileSystem, directory.node, this.#resolver.name(name), creationMode, request, UNKNOWN_CALLER),
        ({ entry, opened }) => this.#opened(this.#resolver.paths.adopt(directory, name, entry), opened),
      );
    });
  }

  read(fd: number, into: Buffer, size: number, offset: number): Later<number> {
    const { opened } = this.#handles.get(fd);
    const answer = this.#fileSystem.read(opened, into, 0, size, offset);
    if (typeof answer === 'number') return answer;
    return andThen(
      this.#waits.when(answer, () => undefined),
      () => this.read(fd, into, size, offset),
    );
  }

  write(fd: number, from: Buffer, size: number, offset: number): Later<number> {
    const put = required(this.#fileSystem.write);
    return this.#waits.when(put.call(this.#fileSystem, this.#handles.get(fd).opened, from, 0, size, offset, false), same);
  }

  flush(fd: number): Later<void> {
    const { file, opened } = this.#handles.get(fd);
    return this.#resolver.done(this.#fileSystem.flush?.(file.node, opened, 0n));
  }

  sync(fd: number, dataOnly: boolean): Later<void> {
    return this.#resolver.done(this.#fileSystem.sync?.(this.#handles.get(fd).opened, dataOnly));
  }

  syncDirectory(path: string, dataOnly: boolean): Later<void> {
    this.#resolver.removals.settle();
    return this.#resolver.at(path, ({ node }) => this.#resolver.done(this.#fileSystem.syncDirectory?.(node, dataOnly)));
  }

  release(fd: number): void {
    this.#handles.release(fd);
  }

  change(path: string, changes: Omit<AttributeChanges, 'killSetId'>): Later<void> {
    return this.#resolver.at(path, ({ node }) =>
      this.#resolver.done(
        required(this.#fileSystem.setAttributes).call(this.#fileSystem, node, { ...changes, killSetId: false }, undefined),
      ),
    );
  }

  truncateOpen(fd: number, size: number): Later<void> {
    const { file, opened } = this.#handles.get(fd);
    const change = required(this.#fileSystem.setAttributes);
    return this.#resolver.done(change.call(this.#fileSystem, file.node, { size, killSetId: false }, opened));
  }

  makeNode(path: string, mode: number, device: number): Later<void> {
    const creationMode = (mode & ~0o7777) | (mode & this.#creationMask);
    return this.#make(path, (node, name) =>
      required(this.#fileSystem.makeNode).call(this.#fileSystem, node, name, creationMode, device, UNKNOWN_CALLER),
    );
  }

  makeDirectory(path: string, mode: number): Later<void> {
    return this.#make(path, (node, name) =>
      required(this.#fileSystem.makeDirectory).call(this.#fileSystem, node, name, mode & this.#creationMask, UNKNOWN_CALLER),
    );
  }

  makeLink(target: string, path: string): Later<void> {
    const bytes = bytesFromText(target, this.#encoding);
    return this.#make(path, (node, name) => required(this.#fileSystem.makeLink).call(this.#fileSystem, node, name, bytes, UNKNOWN_CALLER));
  }

  link(path: string, newPath: string): Later<void> {
    return this.#resolver.at(path, (file) =>
      this.#make(newPath, (node, name) => required(this.#fileSystem.link).call(this.#fileSystem, file.node, node, name)),
    );
  }

  /** Of a hidden name: the file was removed when it was hidden. */
  unlink(path: string): Later<void> {
    return this.#resolver.within(path, (directory, name) => {
      const known = directory.children?.get(name);
      if (known?.isHidden !== true) return this.#resolver.remove(directory, name, required(this.#fileSystem.unlink));
      if (this.#resolver.removals.isOf(known.node)) this.#resolver.removals.settle();
      this.#resolver.paths.removed(directory, name);
      return undefined;
    });
  }

  /**
   * EBUSY while a file that was in it is still open, as in NFS: libfuse finds such a file by a path through the directory, and would not find it any more.
   */
  removeDirectory(path: string): Later<void> {
    return this.#resolver.within(path, (directory, name) => {
      if (directory.children?.get(name)?.hasHidden === true) throw systemCallError(Errno.EBUSY);
      return this.#resolver.remove(directory, name, required(this.#fileSystem.removeDirectory));
    });
  }

  /** libfuse renames a file that is to be removed while it is open: see removal.ts. Until it is closed it is reached through the new name. */
  rename(path: string, newPath: string): Later<void> {
    const { directory: newParent, name: newName } = splitPath(newPath);
    return this.#resolver.within(path, (directory, name) =>
      this.#resolver.at(newParent, (newDirectory) => {
        if (directory === newDirectory && HIDDEN_NAME.test(newName)) return this.#hide(directory, name, newName);
        if (newDirectory.children?.get(newName)?.hasHidden === true) throw systemCallError(Errno.EBUSY);
        const replacesHidden = this.#resolver.removals.isFor(newDirectory, newName);
        return finallyDo(
          () => this.#rename(directory, name, newDirectory, newName),
          () => {
            if (replacesHidden && this.#resolver.removals.isFor(newDirectory, newName)) this.#resolver.removals.forgo();
          },
        );
      }),
    );
  }

  #opened(file: PathNode, opened: OpenedFile): number {
    const close = (): void => {
      this.#fileSystem.release(file.node, opened, undefined);
    };
    return this.#handles.add({ file, opened, close });
  }

  /** A name that is yet to go counts no more. */
  #words(node: NodeId, attributes: Attributes): Uint32Array {
    const words = statArray(attributes);
    if (this.#resolver.removals.isOf(node)) words[6]!--;
    return words;
  }

  #stat({ node }: PathNode): Later<Uint32Array> {
    let isDue = false;
    const words = this.#waits.when(this.#fileSystem.attributes(node, undefined), (attributes) => {
      isDue = this.#measured.isDue(attributes);
      return this.#words(node, attributes);
    });
    return andThen(words, (said) => (isDue ? andThen(this.#measured.size(node), (size) => withSize(said, size)) : said));
  }

  #make(path: string, make: (directory: number, name: string) => Answer<Entry>): Later<void> {
    return this.#resolver.within(path, (directory, name) =>
      this.#waits.when(make(directory.node, this.#resolver.name(name)), (entry) => {
        this.#resolver.paths.adopt(directory, name, entry);
      }),
    );
  }

  #rename(directory: PathNode, name: string, newDirectory: PathNode, newName: string): Later<void> {
    const move = required(this.#fileSystem.rename);
    const [from, to] = [this.#resolver.name(name), this.#resolver.name(newName)];
    const answer = move.call(this.#fileSystem, directory.node, from, newDirectory.node, to, 0, UNKNOWN_CALLER);
    return this.#waits.when(answer, () => {
      this.#resolver.paths.renamed(directory, name, newDirectory, newName);
    });
  }

  #hide(directory: PathNode, name: string, hiddenName: string): Later<void> {
    required(this.#fileSystem.unlink);
    return andThen(this.#resolver.paths.child(directory, name), (file) => {
      this.#resolver.paths.hide(file, hiddenName);
      this.#resolver.removals.begin(directory, name, file);
      this.#resolver.paths.unpin(file);
    });
  }
}

function same<T>(value: T): T {
  return value;
}
