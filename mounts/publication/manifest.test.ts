import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKey, keyIdOf, publicKeyObject, readPrivateKey, readPublicKey } from './keys.js';
import type { SigningKey } from './keys.js';
import { catalogueName, digestsName, formatManifest, LONGEST_MANIFEST, readOwnManifest, verifyManifest } from './manifest.js';

const catalogue = { name: catalogueName('a'.repeat(64)), size: 4096, sha256: 'a'.repeat(64) };
const digests = { name: digestsName('b'.repeat(64)), size: 64, sha256: 'b'.repeat(64) };
const facts = { repository: '0123456789abcdef'.repeat(2), serial: 7, time: '2026-11-24T10:25:51.000Z', catalogue, digests };

let place: string;
let key: SigningKey;
let other: SigningKey;
let text: string;

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'butlerfs-keys-'));
  await generateKey(join(place, 'key'));
  await generateKey(join(place, 'other'));
  key = readPrivateKey(join(place, 'key.pem'));
  other = readPrivateKey(join(place, 'other.pem'));
  text = formatManifest(facts, key);
});
afterAll(() => rmSync(place, { recursive: true }));

describe('a manifest', () => {
  it('says what was signed', () => {
    const { digest, ...manifest } = verifyManifest(Buffer.from(text), key.publicKey, 'here');
    expect(manifest).toEqual({
      format: 'butlerfs-manifest',
      formatVersion: 1,
      ...facts,
      signatureAlgorithm: 'ed25519',
      keyId: keyIdOf(key.publicKey),
    });
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(text.length).toBeLessThan(LONGEST_MANIFEST);
    expect(readOwnManifest(text)).toEqual(manifest);
  });

  it('is JSON, and its signature is over the text of "signed" as it stands', () => {
    const { signature } = JSON.parse(text) as { signature: string };
    const signed = text.slice(text.indexOf(':') + 1, text.lastIndexOf(',\n'));
    expect(verify(null, Buffer.from(signed), publicKeyObject(key.publicKey), Buffer.from(signature, 'base64'))).toBe(true);
  });

  it('is refused with any bit of it flipped, anything added or left out', () => {
    const bytes = Buffer.from(text);
    const isTaken = (changed: Buffer): boolean => {
      try {
        verifyManifest(changed, key.publicKey, 'here');
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: 'untrusted' });
        return false;
      }
    };
    expect(isTaken(bytes)).toBe(true);
    const taken: string[] = [];
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1 << bit;
        if (isTaken(changed)) taken.push(`bit ${bit} of byte ${at}`);
      }
      const shorter = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
      if (isTaken(shorter)) taken.push(`without byte ${at}`);
    }
    for (const added of [' ', '\n', '{}', text]) {
      if (isTaken(Buffer.from(text + added))) taken.push(`${added} after it`);
      if (isTaken(Buffer.from(added + text))) taken.push(`${added} before it`);
    }
    expect(taken).toEqual([]);
    expect(isTaken(Buffer.alloc(0))).toBe(false);
  });

  it('of another key is refused by name', () => {
    expect(() => verifyManifest(Buffer.from(text), other.publicKey, 'here')).toThrow(
      `the manifest here: it is signed by another key (${keyIdOf(key.publicKey)}) than the one trusted (${keyIdOf(other.publicKey)})`,
    );
  });

  it.each([
    ['a serial number below one', { serial: 0 }],
    ['a serial number that is none', { serial: 1.5 }],
    ['a file by a name that is not of its content', { catalogue: { ...catalogue, name: '../../secret' } }],
    ['a negative size', { digests: { ...digests, size: -1 } }],
    ['a time that is none', { time: 'yesterday' }],
  ])('that is well signed and has %s is refused', (_, wrong) => {
    const signed = formatManifest({ ...facts, ...wrong }, key);
    expect(() => verifyManifest(Buffer.from(signed), key.publicKey, 'here')).toThrow(/not of a known format/);
    expect(readOwnManifest(signed)).toBeUndefined();
  });

  it('a web page in its place is named', () => {
    expect(() => verifyManifest(Buffer.from('<!DOCTYPE html><p>log in'), key.publicKey, 'here')).toThrow(/web page/);
  });
});

describe('keys', () => {
  it('are read as text, from a line in a file and from PEM', () => {
    const line = readFileSync(join(place, 'key.pub'), 'utf8').trim();
    expect(line).toBe(key.publicKey);
    expect(readPublicKey(line)).toBe(line);
    expect(readPublicKey('key.pub', place)).toBe(line);
    const pem = join(place, 'public.pem');
    writeFileSync(pem, createPublicKey(readFileSync(join(place, 'key.pem'))).export({ type: 'spki', format: 'pem' }));
    expect(readPublicKey(pem)).toBe(line);
    expect(statSync(join(place, 'key.pem')).mode & 0o777).toBe(0o600);
  });

  it('are never overwritten', async () => {
    const before = readFileSync(join(place, 'key.pem'));
    await expect(generateKey(join(place, 'key'))).rejects.toMatchObject({ code: 'usage', message: /it exists/ });
    expect(readFileSync(join(place, 'key.pem')).equals(before)).toBe(true);
  });

  it('of other kinds, open to everybody, and what is none are refused, without showing what is in them', () => {
    const file = join(place, 'wrong.pem');
    const written = (content: string | Buffer, mode = 0o600): string => {
      writeFileSync(file, content);
      chmodSync(file, mode);
      return file;
    };
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const elliptic = privateKey.export({ type: 'pkcs8', format: 'pem' });
    expect(() => readPrivateKey(written(elliptic))).toThrow(/no ed25519 private key/);
    expect(() => readPrivateKey(written(readFileSync(join(place, 'key.pem')), 0o644))).toThrow(/everybody on this host may read it/);
    expect(() => readPublicKey(written('hunter2'))).toThrow(/no ed25519 public key/);
    expect(() => readPublicKey(written('hunter2'))).not.toThrow(/hunter2/);
    expect(() => readPublicKey(join(place, 'key.pem'))).toThrow(/this is the private key/);
    expect(() => readPublicKey('key.pub')).toThrow(/neither an absolute path/);
    // Base64 that is not written in the one way: the last bits are not zero.
    expect(() => readPublicKey(`ed25519:${'A'.repeat(42)}B=`)).toThrow(/the 32 bytes of the key/);
    expect(() => readPublicKey(join(place, 'absent'))).toThrow(/no such file/);
  });
});
