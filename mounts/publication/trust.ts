/**
 * What a reader has seen of a publication, kept beside its catalogues: `trust.json`. It names the greatest serial number that was seen, whose manifest it was,
 * and of which repository; so nobody can show this reader an earlier state again, nor two states under one number.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomically } from '../../common/atomic.js';
import { ButlerfsError } from '../../common/errors.js';
import type { VerifiedManifest } from './manifest.js';

const seenSchema = z.strictObject({
  repository: z.string(),
  serial: z.int().positive(),
  /** Of the manifest. */
  digest: z.string(),
  time: z.string(),
});

type Seen = Readonly<z.infer<typeof seenSchema>>;

/** Refuses a manifest that contradicts what was seen: `untrusted`. `where` names it in messages. */
export async function checkTrust(directory: string, manifest: VerifiedManifest, where: string): Promise<void> {
  refuseContradiction(await readSeen(directory), manifest, where, directory);
}

/** As {@link checkTrust}, and from now on this manifest has been seen; durable when it resolves. The caller holds the lock of the directory. */
export async function acceptManifest(directory: string, manifest: VerifiedManifest, where: string): Promise<void> {
  const seen = await readSeen(directory);
  refuseContradiction(seen, manifest, where, directory);
  if (seen?.serial === manifest.serial) return;
  const { repository, serial, digest, time } = manifest;
  await writeFileAtomically(trustFile(directory), `${JSON.stringify({ repository, serial, digest, time } satisfies Seen, null, 2)}\n`);
}

function refuseContradiction(seen: Seen | undefined, manifest: VerifiedManifest, where: string, directory: string): void {
  if (seen === undefined) return;
  const refused = (why: string, advice: string): never => {
    throw new ButlerfsError('untrusted', { what: `the manifest ${where}`, why, advice });
  };
  if (manifest.repository !== seen.repository) {
    refused(
      `it is of repository ${manifest.repository}, and ${seen.repository} was there before`,
      `where that is meant, remove ${trustFile(directory)}`,
    );
  }
  if (manifest.serial < seen.serial) {
    refused(
      `its serial number is ${manifest.serial} (${manifest.time}), and ${seen.serial} (${seen.time}) was seen before: it was rolled back`,
      'ask whoever publishes the repository; a cache in between may also be holding an old one',
    );
  }
  if (manifest.serial === seen.serial && manifest.digest !== seen.digest) {
    refused(`it is another one than was seen under the same serial number ${seen.serial}`, 'ask whoever publishes the repository');
  }
}

function trustFile(directory: string): string {
  return join(directory, 'trust.json');
}

async function readSeen(directory: string): Promise<Seen | undefined> {
  let text: string;
  try {
    text = await readFile(trustFile(directory), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw damaged(directory, error);
  }
  try {
    return seenSchema.parse(JSON.parse(text));
  } catch (error) {
    throw damaged(directory, error);
  }
}

function damaged(directory: string, cause: unknown): ButlerfsError {
  return new ButlerfsError('untrusted', {
    what: `the record ${trustFile(directory)} of what was published before`,
    why: 'it cannot be read',
    advice: 'remove it, if you know that nothing was rolled back',
    cause,
  });
}
