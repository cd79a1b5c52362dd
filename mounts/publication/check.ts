/** Checks a publication where it lies: the signature, what the manifest names, and every byte of the repository. */

import { readFile, stat } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { throwIfAborted } from '../../common/deadline.js';
import { ButlerfsError } from '../../common/errors.js';
import type { ChunkDigests } from '../../cache/contract.js';
import { openCatalogue } from '../../registry/open.js';
import type { Catalogue } from '../../registry/contract.js';
import { digestOfPath } from './digest-of-path.js';
import { DigestsFile } from './digests-file.js';
import type { WholeAlgorithm } from './digests-format.js';
import type { FileProblem } from './hash-catalogued.js';
import type { HashedFile } from './hash-file.js';
import { HashingThreads } from './hashing-threads.js';
import type { PublicKeyText } from './keys.js';
import { FileProgress, localFile } from './local-files.js';
import { LONGEST_MANIFEST, MANIFEST_NAME, PUBLICATION_DIRECTORY, verifyManifest } from './manifest.js';
import type { PublishedFile, VerifiedManifest } from './manifest.js';

export interface CheckSettings {
  readonly publicKey: PublicKeyText;
  /** Threads that hash. */
  readonly jobs: number;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface CheckReport {
  readonly directory: string;
  readonly manifest: VerifiedManifest;
  /** Files that were checked, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  /** Files that the publication does not cover: on other hosts, unreadable where they were published, or not there. */
  readonly uncovered: number;
  /** Every file that is not what was published. */
  readonly problems: readonly FileProblem[];
}

/** Rejects with `untrusted` for a manifest, `wrong-digest` or `wrong-size` for a catalogue or digests that are not what was signed. */
export async function checkPublication(directory: string, settings: CheckSettings): Promise<CheckReport> {
  const place = join(directory, PUBLICATION_DIRECTORY);
  const manifest = await readManifest(join(place, MANIFEST_NAME), settings.publicKey);
  for (const file of [manifest.catalogue, manifest.digests]) await checkPublishedFile(join(place, file.name), file, settings.signal);
  const digests = new DigestsFile(join(place, manifest.digests.name));
  const catalogue = openCatalogue(join(place, manifest.catalogue.name));
  const threads = new HashingThreads(settings.jobs);
  try {
    if (catalogue === undefined) throw otherCatalogue(place, manifest.catalogue);
    return { directory, manifest, ...(await checkFiles(directory, catalogue, digests, threads, settings)) };
  } finally {
    await threads.close();
    catalogue?.close();
    digests.close();
  }
}

/** The file is byte by byte what the manifest names. Rejects with `remote-not-found`, `wrong-size` or `wrong-digest`. */
export async function checkPublishedFile(file: string, published: PublishedFile, signal: AbortSignal): Promise<void> {
  const info = await stat(file).catch((cause: unknown) => {
    throw new ButlerfsError('remote-not-found', { what: file, why: 'the manifest names it and it is not there', cause });
  });
  const what = `${file}, which the manifest names`;
  if (info.size !== published.size) {
    throw new ButlerfsError('wrong-size', { what, why: `${published.size} bytes were signed, it has ${info.size}` });
  }
  const { sha256 } = await digestOfPath(file, signal);
  if (sha256 !== published.sha256)
    throw new ButlerfsError('wrong-digest', { what, why: `sha256:${published.sha256} was signed, it has ${sha256}` });
}

export function otherCatalogue(where: string, { name }: PublishedFile): ButlerfsError {
  return new ButlerfsError('unsupported-repository', {
    what: `the published catalogue ${name}`,
    where,
    why: 'it is of another form than this program reads',
    advice: 'publish with the version of butlerfs that reads it',
  });
}

async function readManifest(file: string, publicKey: PublicKeyText): Promise<VerifiedManifest> {
  const info = await stat(file).catch((cause: unknown) => {
    throw new ButlerfsError('untrusted', { what: file, why: 'it is not there: the repository is not published', cause });
  });
  if (info.size > LONGEST_MANIFEST) throw new ButlerfsError('untrusted', { what: file, why: 'it is too long for a manifest' });
  return verifyManifest(await readFile(file), publicKey, file);
}

async function checkFiles(
  directory: string,
  catalogue: Catalogue,
  digests: DigestsFile,
  threads: HashingThreads,
  { onProgress, signal }: CheckSettings,
): Promise<Omit<CheckReport, 'directory' | 'manifest'>> {
  const problems: FileProblem[] = [];
  const counts = { files: 0, bytes: 0, uncovered: 0 };
  const progress = new FileProgress('checking', catalogue.totals(), onProgress);
  for (const { location } of catalogue.files()) {
    throwIfAborted(signal, `checking ${directory}`);
    const local = localFile(directory, location);
    const published = digests.chunks(location);
    const problem = (error: ButlerfsError): void => void problems.push({ location, code: error.code, message: error.message });
    if (published === undefined || local.place === 'remote') {
      counts.uncovered++;
      if (local.place === 'inside' && existsSync(local.path))
        problem(new ButlerfsError('untrusted', { what: location, why: 'it is there, and was not published' }));
      continue;
    }
    await threads.start({ path: local.path, algorithm: published.whole.algorithm as WholeAlgorithm }, (answer) => {
      const fault = answer instanceof ButlerfsError ? answer : differenceOf(location, published, answer);
      if (fault !== undefined) problem(fault);
      counts.files++;
      counts.bytes += published.size;
      progress.done(published.size, published.size);
    });
  }
  await threads.finish();
  return { ...counts, problems };
}

function differenceOf(location: string, published: ChunkDigests, found: HashedFile): ButlerfsError | undefined {
  const advice = 'restore the file, or publish again where it was changed on purpose';
  if (published.size !== found.size) {
    return new ButlerfsError('wrong-size', { what: location, why: `${published.size} bytes were published, it has ${found.size}`, advice });
  }
  const chunks = Buffer.from(found.chunks);
  for (let index = 0; index * 32 < chunks.length; index++) {
    if (chunks.compare(published.digest(index), 0, 32, index * 32, (index + 1) * 32) === 0) continue;
    const why = `chunk ${index}, from byte ${index * published.chunkSize} on, is not what was published`;
    return new ButlerfsError('wrong-digest', { what: location, why, advice });
  }
  if (Buffer.from(found.whole).toString('hex') === published.whole.hex) return undefined;
  return new ButlerfsError('wrong-digest', { what: location, why: 'its whole is not what was published', advice });
}
