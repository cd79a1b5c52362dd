/** What every remote must do. Run by the tests of each of them. */

import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReadOptions, Remote } from '../contract.js';
import { parseRemotePath } from '../paths.js';

export interface RemoteUnderTest {
  readonly remote: Remote;
  close(): Promise<void>;
}

/** Reads a body to its end, copying each chunk before the next is asked for. */
export async function readAll(remote: Remote, path: string, options?: ReadOptions): Promise<Buffer> {
  const { bytes } = await remote.open(parseRemotePath(path), options);
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** `bytes` deterministic bytes that repeat at no power of two. */
export function pattern(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at++) buffer[at] = (at * 31 + (at >>> 8) * 7 + (at >>> 16)) & 0xff;
  return buffer;
}

/** Runs the suite: `start` makes a remote whose root is `directory`. */
export function describeRemote(name: string, start: (directory: string) => Promise<RemoteUnderTest>): void {
  describe(name, () => {
    const content = pattern(3_000_001);
    const odd = 'a b/ü %2F #1?x&y=+;~.fits';
    const parse = parseRemotePath;
    let directory: string;
    let under: RemoteUnderTest;
    let remote: Remote;

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'butlerfs-remote-'));
      for (const [path, data] of [
        ['deep/er/file.fits', content],
        ['empty', Buffer.alloc(0)],
        [odd, Buffer.from('odd')],
        ['changing', Buffer.from('one')],
      ] as const) {
        mkdirSync(dirname(join(directory, path)), { recursive: true });
        writeFileSync(join(directory, path), data);
      }
      under = await start(directory);
      remote = under.remote;
    });
    afterAll(async () => {
      await under.close();
      rmSync(directory, { recursive: true, force: true });
    });

    it('tells size, modification time and a validator that stays', async () => {
      const stat = await remote.stat(parse('deep/er/file.fits'));
      expect(stat.size).toBe(content.length);
      expect(Math.abs(stat.modified! - Date.now())).toBeLessThan(120_000);
      expect(stat.validator).toBeTruthy();
      expect(await remote.stat(parse('deep/er/file.fits'))).toEqual(stat);
      const body = await remote.open(parse('deep/er/file.fits'));
      expect(body.stat).toEqual(stat);
      await body.bytes[Symbol.asyncIterator]().return?.();
    });

    it('reads whole, empty and oddly named objects', async () => {
      expect((await readAll(remote, 'deep/er/file.fits')).equals(content)).toBe(true);
      expect(await readAll(remote, 'empty')).toHaveLength(0);
      expect((await remote.stat(parse('empty'))).size).toBe(0);
      expect((await readAll(remote, odd)).toString()).toBe('odd');
      expect((await remote.stat(parse(odd))).size).toBe(3);
    });

    it.each([
      [0, 1],
      [0, 3_000_001],
      [1, undefined],
      [1_500_000, 17],
      [2_999_990, 1000],
      [3_000_000, undefined],
      [3_000_001, undefined],
      [3_000_001, 5],
      [5_000_000, 5],
      [7, 0],
    ])('reads from %i, %s bytes', async (offset, length) => {
      const wanted = content.subarray(offset, length === undefined ? undefined : offset + length);
      expect((await readAll(remote, 'deep/er/file.fits', { offset, length })).equals(wanted)).toBe(true);
      const body = await remote.open(parse('deep/er/file.fits'), { offset, length });
      expect(body.stat.size).toBe(content.length);
      for await (const chunk of body.bytes) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
    });

    it('what is not there, and a directory, is remote-not-found', async () => {
      for (const path of ['no/such', 'deep', 'deep/er', 'deep/er/file.fits/x']) {
        await expect(remote.stat(parse(path))).rejects.toMatchObject({ code: 'remote-not-found' });
        await expect(remote.open(parse(path))).rejects.toMatchObject({ code: 'remote-not-found' });
      }
    });

    it('reads one version or fails with remote-changed', async () => {
      const path = join(directory, 'changing');
      const { validator } = await remote.stat(parse('changing'));
      expect((await readAll(remote, 'changing', { validator })).toString()).toBe('one');
      expect((await readAll(remote, 'changing', { validator, offset: 1, length: 1 })).toString()).toBe('n');
      writeFileSync(path, 'two!');
      utimesSync(path, 1_000_000_000, 1_000_000_000);
      for (const options of [{ validator }, { validator, offset: 1 }, { validator, offset: 9 }, { validator, length: 0 }]) {
        await expect(readAll(remote, 'changing', options)).rejects.toMatchObject({ code: 'remote-changed' });
      }
    });

    it('serves many readers at a time, each its own bytes', async () => {
      const reads = Array.from({ length: 24 }, (_, i) => readAll(remote, 'deep/er/file.fits', { offset: i * 1000, length: 100_000 }));
      const answers = await Promise.all(reads);
      answers.forEach((answer, i) => expect(answer.equals(content.subarray(i * 1000, i * 1000 + 100_000))).toBe(true));
    });

    it('an aborted wait is interrupted, and so is a body', async () => {
      await expect(remote.stat(parse('empty'), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'interrupted' });
      await expect(remote.open(parse('empty'), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'interrupted' });
      const controller = new AbortController();
      const body = await remote.open(parse('deep/er/file.fits'), { signal: controller.signal });
      const reading = (async () => {
        for await (const chunk of body.bytes) if (chunk.length > 0) controller.abort();
      })();
      await expect(reading).rejects.toMatchObject({ code: 'interrupted' });
      expect((await readAll(remote, odd)).toString()).toBe('odd');
    });

    it('names the object by a percent-encoded URL without credentials', () => {
      expect(remote.urlOf(parse(odd))).toBe(`${remote.url}/a%20b/%C3%BC%20%252F%20%231%3Fx%26y%3D%2B%3B~.fits`);
      expect(remote.url).not.toMatch(/@|\/$/);
    });

    it('after closing, operations are interrupted', async () => {
      await remote.close();
      await remote.close();
      await expect(remote.stat(parse('empty'))).rejects.toMatchObject({ code: 'interrupted' });
      await expect(remote.open(parse('empty'))).rejects.toMatchObject({ code: 'interrupted' });
    });
  });
}
