/** Hashes every file that a catalogue names, but those that were not touched since they were hashed before. */

import { statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { throwIfAborted } from '../../common/deadline.js';
import { ButlerfsError } from '../../common/errors.js';
import type { ErrorCode } from '../../common/errors.js';
import type { RepositoryEntry } from '../../registry/contract.js';
import { openCatalogue } from '../../registry/open.js';
import { keyOf } from './digests-format.js';
import { stampOf } from './hash-file.js';
import type { HashedFile } from './hash-file.js';
import { HashingThreads } from './hashing-threads.js';
import type { KnownFile, KnownFiles } from './known-files.js';
import { FileProgress, localFile } from './local-files.js';
import type { LocalFile } from './local-files.js';
import type { PublishSettings } from './publish.js';

/** A file that is not what the catalogue says. */
export interface FileProblem {
  readonly location: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Numbers of files and sizes in bytes. */
export interface HashReport {
  /** Files with digests, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  /** Those of them that had to be read. */
  readonly hashed: number;
  readonly hashedBytes: number;
  /** Files on other hosts: published without chunk digests. */
  readonly remote: number;
  /** Files elsewhere on this host that cannot be read: likewise. */
  readonly unreadable: number;
  /** Files that the registry lists and that are not there, where that is allowed. */
  readonly missing: number;
  readonly problems: readonly FileProblem[];
}

type CataloguedFile = NonNullable<RepositoryEntry['file']>;
type Settings = Pick<PublishSettings, 'jobs' | 'all' | 'keepGoing' | 'allowMissing' | 'onProgress' | 'signal'>;

/** Files between looks at the rest of the world, where none of them has to be hashed. */
const FILES_AT_ONCE = 256;

export async function hashCatalogued(directory: string, catalogueFile: string, known: KnownFiles, settings: Settings): Promise<HashReport> {
  const catalogue = openCatalogue(catalogueFile);
  if (catalogue === undefined) throw new ButlerfsError('internal', { what: `the catalogue ${catalogueFile} cannot be opened` });
  const threads = new HashingThreads(settings.jobs);
  try {
    const progress = new FileProgress('hashing', catalogue.totals(), settings.onProgress);
    const hashing = new CatalogueHashing(known, settings, threads, progress);
    let seen = 0;
    for (const file of catalogue.files()) {
      throwIfAborted(settings.signal, `hashing ${directory}`);
      if (hashing.isOver) break;
      await hashing.take(file, localFile(directory, file.location));
      if (++seen % FILES_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await threads.finish();
    throwIfAborted(settings.signal, `hashing ${directory}`);
    return hashing.report;
  } finally {
    await threads.close();
    catalogue.close();
  }
}

class CatalogueHashing {
  readonly #known: KnownFiles;
  readonly #settings: Settings;
  readonly #threads: HashingThreads;
  readonly #progress: FileProgress;
  readonly #problems: FileProblem[] = [];
  readonly #counts = { files: 0, bytes: 0, hashed: 0, hashedBytes: 0, remote: 0, unreadable: 0, missing: 0 };

  constructor(known: KnownFiles, settings: Settings, threads: HashingThreads, progress: FileProgress) {
    this.#known = known;
    this.#settings = settings;
    this.#threads = threads;
    this.#progress = progress;
  }

  /** Whether a problem was found after which nobody wants to know more. */
  get isOver(): boolean {
    return this.#problems.length > 0 && !this.#settings.keepGoing;
  }

  get report(): HashReport {
    return { ...this.#counts, problems: this.#problems };
  }

  async take(file: CataloguedFile, local: LocalFile): Promise<void> {
    if (local.place === 'remote') {
      this.#counts.remote++;
      return;
    }
    const key = keyOf(file.location);
    const kept = this.#settings.all ? undefined : this.#known.find(key);
    const info = statSync(local.path, { bigint: true, throwIfNoEntry: false });
    if (kept !== undefined && info !== undefined && isUntouched(kept, info) && faultOf(file, kept) === undefined) {
      this.#known.keep(key);
      this.#counted(kept.size, 0);
      return;
    }
    const hashedAt = Date.now();
    const algorithm = file.checksum === null ? 'sha256' : 'blake2b512';
    await this.#threads.start({ path: local.path, algorithm }, (answer) => {
      if (answer instanceof ButlerfsError) {
        this.#failed(file, local, answer);
        return;
      }
      const fault = faultOf(file, { ...answer, algorithm });
      if (fault !== undefined) {
        this.#problem(file, fault);
        return;
      }
      this.#known.put(key, { ...answer, hashedAt, algorithm });
      this.#counts.hashed++;
      this.#counts.hashedBytes += answer.size;
      this.#counted(answer.size, answer.size);
    });
  }

  #counted(bytes: number, read: number): void {
    this.#counts.files++;
    this.#counts.bytes += bytes;
    this.#progress.done(bytes, read);
  }

  #failed(file: CataloguedFile, { place }: LocalFile, error: ButlerfsError): void {
    const isAbsent = error.code === 'remote-not-found' || error.code === 'remote-failed';
    if (place === 'elsewhere' && isAbsent) this.#counts.unreadable++;
    else if (error.code === 'remote-not-found' && this.#settings.allowMissing) this.#counts.missing++;
    else this.#problem(file, error);
  }

  #problem({ location }: CataloguedFile, { code, message }: ButlerfsError): void {
    this.#problems.push({ location, code, message });
  }
}

/** Milliseconds within which a change may leave the time of modification as it was; file systems that count whole seconds have coarser ones. */
const GRAIN = { fine: 100, coarse: 2_000 };

/** Whether nothing tells that a file changed, and a change would have told. */
function isUntouched({ stamp, hashedAt }: KnownFile, info: BigIntStats): boolean {
  if (stampOf(info) !== stamp) return false;
  const grain = info.mtimeNs % 1_000_000_000n === 0n ? GRAIN.coarse : GRAIN.fine;
  return Number(info.mtimeNs / 1_000_000n) < hashedAt - grain;
}

/** What the registry publishes of a file and is not so. */
function faultOf(
  { location, size, checksum }: CataloguedFile,
  found: Pick<HashedFile, 'size' | 'whole'> & Pick<KnownFile, 'algorithm'>,
): ButlerfsError | undefined {
  const advice = 'restore the file, or register it anew';
  if (size !== null && size !== found.size) {
    return new ButlerfsError('wrong-size', { what: location, why: `the registry says ${size} bytes, it has ${found.size}`, advice });
  }
  const hex = Buffer.from(found.whole).toString('hex');
  const algorithm = checksum === null ? 'sha256' : 'blake2b512';
  if (found.algorithm === algorithm && (checksum === null || checksum === hex)) return undefined;
  return new ButlerfsError('wrong-digest', { what: location, why: `the registry says ${checksum ?? 'nothing'}, it has ${hex}`, advice });
}
