/**
 * One process of the soak. It writes, reads and lists on the plain directory, where one directory is its own and those of the others are read; and it lists
 * and reads the repository. What it reads is compared with what must be there, byte by byte. Reports what it did, and everything that was wrong.
 */

import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { content, fault, HEADER, next, sha256 } from './soak-content.js';

/** What a process is told. */
export interface SoakTask {
  readonly index: number;
  readonly processes: number;
  /** Mount points. */
  readonly directory: string;
  readonly repository: string;
  /** Names in every directory of the repository, and the SHA-256 of every file, by path. */
  readonly listings: Readonly<Record<string, readonly string[]>>;
  readonly digests: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export interface SoakReport {
  readonly reads: number;
  readonly writes: number;
  readonly listings: number;
  /** Read, and found right. */
  readonly bytes: number;
  /** At most 20. */
  readonly violations: readonly string[];
}

const FILES = 24;
const LARGEST = 256 * 1024;
/** One file in so many is larger. */
const LARGE_EVERY = 50;
const LARGE = 4 * 2 ** 20;

class Worker {
  readonly #task: SoakTask;
  readonly #own: string;
  /** Version of each file of its own; 0: there is none. */
  readonly #versions = new Array<number>(FILES).fill(0);
  readonly #violations: string[] = [];
  readonly #directories: readonly string[];
  readonly #files: readonly string[];
  #state: number;
  #reads = 0;
  #writes = 0;
  #listings = 0;
  #bytes = 0;
  #version = 0;

  constructor(task: SoakTask) {
    this.#task = task;
    this.#own = this.#place(task.index);
    this.#directories = Object.keys(task.listings);
    this.#files = Object.keys(task.digests);
    this.#state = 7919 * (task.index + 1);
  }

  run(): SoakReport {
    mkdirSync(this.#own);
    const work = [
      () => this.#write(),
      () => this.#write(),
      () => this.#overwrite(),
      () => this.#readOwn(),
      () => this.#readOwn(),
      () => this.#listOwn(),
      () => this.#readOther(),
      () => this.#readOther(),
      () => this.#remove(),
      () => this.#listRepository(),
      () => this.#readRepository(),
      () => this.#readRepository(),
    ];
    while (Date.now() < this.#task.until && this.#violations.length < 20) {
      const step = work[this.#below(work.length)]!;
      try {
        step();
      } catch (error) {
        this.#violation(error instanceof Error ? error.message : String(error));
      }
    }
    rmSync(this.#own, { recursive: true, force: true });
    const [reads, writes, listings, bytes] = [this.#reads, this.#writes, this.#listings, this.#bytes];
    return { reads, writes, listings, bytes, violations: this.#violations };
  }

  /** A new version of a file: written beside it and renamed, so that others see a whole one at any time. */
  #write(): void {
    const file = this.#below(FILES);
    const name = this.#name(file);
    const version = ++this.#version;
    const size = HEADER + this.#below(this.#below(LARGE_EVERY) === 0 ? LARGE : LARGEST);
    const temporary = join(this.#own, `.${name}`);
    writeFileSync(temporary, content(name, version, size));
    if (statSync(temporary).size !== size)
      this.#violation(`${temporary}: size ${statSync(temporary).size} after ${size} bytes were written`);
    renameSync(temporary, join(this.#own, name));
    this.#versions[file] = version;
    this.#writes++;
  }

  /** In place, in pieces, shorter or longer than before; then read through the same descriptor. Of a file that the others do not read. */
  #overwrite(): void {
    const path = join(this.#own, '.in-place');
    const version = ++this.#version;
    const bytes = content('.in-place', version, HEADER + this.#below(LARGEST));
    const fd = openSync(path, 'a+');
    closeSync(fd);
    const file = openSync(path, 'r+');
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, Math.min(bytes.length - at, 1 + this.#below(60_000)), at);
      truncateSync(path, bytes.length);
      if (fstatSync(file).size !== bytes.length) this.#violation(`${path}: size ${fstatSync(file).size}, not ${bytes.length}`);
      const read = Buffer.alloc(bytes.length + 1);
      let length = 0;
      for (let count = -1; count !== 0; length += count) count = readSync(file, read, length, read.length - length, length);
      this.#check(path, '.in-place', read.subarray(0, length), version);
    } finally {
      closeSync(file);
    }
    this.#writes++;
  }

  #remove(): void {
    const file = this.#below(FILES);
    if (this.#versions[file] === 0) return;
    unlinkSync(join(this.#own, this.#name(file)));
    this.#versions[file] = 0;
    this.#writes++;
  }

  #readOwn(): void {
    const file = this.#below(FILES);
    const path = join(this.#own, this.#name(file));
    const version = this.#versions[file]!;
    if (version > 0) {
      this.#check(path, this.#name(file), readFileSync(path), version);
      return;
    }
    if (readable(path) !== undefined) this.#violation(`${path}: it is there, though it was removed`);
  }

  /** A file that its owner may be replacing or removing: a whole version, or none. */
  #readOther(): void {
    const name = this.#name(this.#below(FILES));
    const path = join(this.#place(this.#below(this.#task.processes)), name);
    const bytes = readable(path);
    if (bytes !== undefined) this.#check(path, name, bytes);
  }

  #listOwn(): void {
    const names = readdirSync(this.#own).filter((name) => !name.startsWith('.'));
    const expected = this.#versions.flatMap((version, file) => (version > 0 ? [this.#name(file)] : []));
    if (names.sort().join() !== expected.sort().join()) this.#violation(`${this.#own}: it lists ${names.join()}, not ${expected.join()}`);
    this.#listings++;
  }

  #listRepository(): void {
    const directory = this.#directories[this.#below(this.#directories.length)]!;
    const names = readdirSync(join(this.#task.repository, directory));
    if (names.sort().join('\n') !== this.#task.listings[directory]!.join('\n'))
      this.#violation(`${directory}: another listing than before`);
    this.#listings++;
  }

  #readRepository(): void {
    const file = this.#files[this.#below(this.#files.length)]!;
    const bytes = readFileSync(join(this.#task.repository, file));
    if (sha256(bytes) !== this.#task.digests[file]) this.#violation(`${file}: other bytes than before`);
    this.#reads++;
    this.#bytes += bytes.length;
  }

  #check(path: string, name: string, bytes: Buffer, version?: number): void {
    const wrong = fault(name, bytes, version);
    if (wrong !== undefined) this.#violation(`${path}: ${wrong}`);
    this.#reads++;
    this.#bytes += bytes.length;
  }

  #place(index: number): string {
    return join(this.#task.directory, `process-${index}`);
  }

  #name(file: number): string {
    return `file-${file}`;
  }

  #below(limit: number): number {
    this.#state = next(this.#state);
    return this.#state % limit;
  }

  #violation(what: string): void {
    if (this.#violations.length < 20) this.#violations.push(what);
  }
}

/** Undefined where there is no such file. */
function readable(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

// As a process of its own: it says that it is there, is told its task, and gives its report.
process.send!('ready');
process.once('message', (task: SoakTask) => {
  process.send!(new Worker(task).run(), () => process.disconnect());
});
