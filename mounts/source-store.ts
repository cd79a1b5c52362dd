/**
 * What is kept of one source between mounts: a directory below `<cache>/sources/`, named by the SHA-256 of the repository's URL; of a source that is trusted by
 * a public key another one, for that key.
 *
 *     current                      JSON: which version counts, and of what
 *     registry-7.sqlite3           what was fetched of a remote repository to be read: copy of its registry
 *     catalogue-5.sqlite3          the catalogue, named by the version at which it was built: later ones may be updates of it in place
 *     manifest-7.json              of a published source, in place of the registry: the signed manifest that names the catalogue,
 *     butler-7.yaml                the repository's configuration, and
 *     digests-7.bin                the digests of its files (publication/)
 *     trust.json                   the greatest serial number seen (publication/trust.ts)
 *     listing.sqlite3              of a Gen2 repository: what was listed of it
 *     lock                         held while a version is made
 *     walking                      of a Gen2 repository: held while it is walked, before that lock
 *
 * Invariants: files of a version never change once `current` has named it, but for the catalogue, which changes from one version to the next in one transaction,
 * while those who have it open keep theirs; `current` is replaced whole. So a reader needs no lock, and a crash at any instant leaves the version before. The last two
 * versions are kept, and the last two catalogues, since a mount may still serve the one before.
 */

import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { syncDirectory, writeFileAtomically } from '../common/atomic.js';

const versionSchema = z.object({
  version: z.int().positive(),
  /** The version at which its catalogue was built; this one where it is missing. */
  catalogue: z.int().positive().optional(),
  repository: z.string(),
  /** SHA-256 of what says where everything is: butler.yaml. */
  configurationDigest: z.string(),
  /** What the origin said of the registry; null where it offers nothing that changes with its content. */
  validator: z.string().nullable(),
  /** Files here that readers get in place of those of the repository, by their location there. */
  copies: z.record(z.string(), z.string()).default({}),
  /** Where the repository says that its files are, where it is not there itself. */
  root: z.string().optional(),
  /** Whether what went at the repository was not looked for yet. */
  isUnfinished: z.boolean().optional(),
  /** Set where the repository is not read to its end yet: the catalogue has what was found so far. */
  partial: z.literal(true).optional(),
});

export type SourceVersion = Readonly<z.infer<typeof versionSchema>>;

export interface VersionFiles {
  readonly catalogue: string;
  /** There for a published source only, as the following. */
  readonly butlerYaml: string;
  readonly manifest: string;
  readonly digests: string;
}

export class SourceStore {
  readonly directory: string;

  constructor(cacheDirectory: string, repository: string, publicKey?: string) {
    const name = publicKey === undefined ? repository : `${repository}\n${publicKey}`;
    this.directory = join(cacheDirectory, 'sources', createHash('sha256').update(name).digest('hex'));
  }

  get lockFile(): string {
    return join(this.directory, 'lock');
  }

  get walkFile(): string {
    return join(this.directory, 'walking');
  }

  filesOf(version: number): VersionFiles {
    return {
      catalogue: this.fileOf(version, 'catalogue', 'sqlite3'),
      butlerYaml: this.fileOf(version, 'butler', 'yaml'),
      manifest: this.fileOf(version, 'manifest', 'json'),
      digests: this.fileOf(version, 'digests', 'bin'),
    };
  }

  /** The catalogue of a version. */
  catalogueOf({ version, catalogue }: Pick<SourceVersion, 'version' | 'catalogue'>): string {
    return this.filesOf(catalogue ?? version).catalogue;
  }

  /** A file that lives as long as a version does. `what` holds letters only. */
  fileOf(version: number, what: string, extension: string): string {
    return join(this.directory, `${what}-${version}.${extension}`);
  }

  /** A file that outlives versions. `what` holds letters only. */
  keptFile(what: string, extension: string): string {
    return join(this.directory, `${what}.${extension}`);
  }

  async create(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
  }

  /** The version that counts; undefined where there is none whose catalogue exists. */
  async current(): Promise<SourceVersion | undefined> {
    const version = await readCurrentVersion(this.directory);
    if (version === undefined) return undefined;
    return (await stat(this.catalogueOf(version)).catch(() => undefined)) === undefined ? undefined : version;
  }

  /** Makes a version count, whose files are complete. Only under the lock. */
  async publish(version: SourceVersion): Promise<void> {
    await syncDirectory(this.directory);
    await writeFileAtomically(join(this.directory, 'current'), `${JSON.stringify(version, null, 2)}\n`);
  }

  /** Removes what no mount needs: versions before the last but one, versions that never counted, temporary files. Only under the lock. */
  async tidy(): Promise<void> {
    const current = await this.current();
    const names = await readdir(this.directory);
    const built = current?.catalogue ?? current?.version ?? 0;
    const former = Math.max(...names.map((name) => numberOf(name, 'catalogue')).filter((number) => number < built));
    for (const name of names) {
      const version = numberOf(name, '[a-z]+');
      const isCatalogue = Number.isInteger(numberOf(name, 'catalogue'));
      const isOutdated =
        current === undefined ||
        (isCatalogue ? version !== built && version !== former : version < current.version - 1 || version > current.version);
      if (/\.(part|tmp)$/.test(name) || (Number.isInteger(version) && isOutdated))
        await rm(join(this.directory, name), { force: true, recursive: true });
    }
  }
}

/** The number in the name of a file of a version; NaN for another file. */
function numberOf(name: string, what: string): number {
  return Number(new RegExp(`^${what}-(\\d+)\\.`).exec(name)?.[1] ?? NaN);
}

async function readCurrentVersion(directory: string): Promise<SourceVersion | undefined> {
  try {
    return versionSchema.parse(JSON.parse(await readFile(join(directory, 'current'), 'utf8')));
  } catch {
    // Missing or not understood: it will be made anew.
    return undefined;
  }
}

/** The catalogue that counts in a source's directory (`MountState.catalogueDirectory`), or undefined. */
export async function currentCatalogueFile(directory: string): Promise<string | undefined> {
  const version = await readCurrentVersion(directory);
  return version === undefined ? undefined : join(directory, `catalogue-${version.catalogue ?? version.version}.sqlite3`);
}
