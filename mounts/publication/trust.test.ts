import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { VerifiedManifest } from './manifest.js';
import { acceptManifest, checkTrust } from './trust.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'butlerfs-trust-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function manifest(serial: number, digest = `digest of ${serial}`, repository = 'r'): VerifiedManifest {
  const file = { name: '', size: 0, sha256: '' };
  const rest = { catalogue: file, digests: file, signatureAlgorithm: 'ed25519', keyId: '' } as const;
  return { format: 'butlerfs-manifest', formatVersion: 1, repository, serial, time: '2026-11-24T10:25:51Z', digest, ...rest };
}

it('takes the first manifest, the same again, and any later one', async () => {
  for (const serial of [3, 3, 4, 9]) {
    await checkTrust(directory, manifest(serial), 'here');
    await acceptManifest(directory, manifest(serial), 'here');
  }
});

it('refuses an earlier one for ever, another under the same number, and another repository', async () => {
  await acceptManifest(directory, manifest(5), 'here');
  await acceptManifest(directory, manifest(7), 'here');
  for (const [wrong, message] of [
    [manifest(6), /serial number is 6 .*7 .*seen before: it was rolled back/],
    [manifest(5), /rolled back/],
    [manifest(7, 'other'), /another one than was seen under the same serial number 7/],
    [manifest(8, 'x', 's'), /it is of repository s, and r was there before/],
  ] as const) {
    await expect(checkTrust(directory, wrong, 'here')).rejects.toMatchObject({ code: 'untrusted', message });
    await expect(acceptManifest(directory, wrong, 'here')).rejects.toMatchObject({ code: 'untrusted', message });
  }
  await checkTrust(directory, manifest(7), 'here');
});

it('trusts nothing while its record cannot be read', async () => {
  for (const text of ['', '{', '{"serial":"1"}']) {
    writeFileSync(join(directory, 'trust.json'), text);
    await expect(checkTrust(directory, manifest(1), 'here')).rejects.toMatchObject({ code: 'untrusted', message: /cannot be read/ });
  }
});
