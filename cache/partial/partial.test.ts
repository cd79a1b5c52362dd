/** Content that is read by chunk, over a server that can be told to fail. */

import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pattern } from '../../proxy/testing/conformance.js';
import { serveBytes } from '../../proxy/testing/server.js';
import { CHUNK_SIZE, type ChunkDigests, type ObjectCache, type ObjectRequest, type PartialContent } from '../contract.js';
import type { CacheSettings } from '../store.js';
import { digestOf, startRig, type Rig } from '../testing/rig.js';
import { ChunkFile } from './chunk-file.js';
import { ReadingAhead } from './reading-ahead.js';

const SIZE = 20 * CHUNK_SIZE + 777;
const content = pattern(SIZE);
const digest = digestOf(content);

let rig: Rig;
/** As a reader has them: opened once, good also after the file got another name. */
const descriptors = new Map<PartialContent, number>();
beforeEach(async () => {
  rig = await startRig();
  rig.objects.set('large', content);
});
afterEach(async () => {
  for (const fd of descriptors.values()) closeSync(fd);
  descriptors.clear();
  await rig.close();
});

const open = (settings: Partial<CacheSettings> = {}): ObjectCache =>
  rig.open({ wholeSize: CHUNK_SIZE, ...settings }, { deadline: 30_000, idleTimeout: 10_000 });
const published = (): ObjectRequest => rig.request('large', { digest, size: SIZE });

async function openPartial(cache: ObjectCache, request: ObjectRequest): Promise<PartialContent> {
  const opened = await cache.openContent(request);
  if (opened.kind !== 'partial') throw new Error('it was fetched whole');
  descriptors.set(opened, cache.openPartial(opened)!.fd);
  return opened;
}

/** As a reader does it: from the file where the bytes are present, else what the cache gives. */
async function read(cache: ObjectCache, opened: PartialContent, offset: number, length: number): Promise<Buffer> {
  const end = Math.min(offset + length, opened.size);
  const given = await cache.readPartial(opened.id, offset, length);
  if (given !== undefined) return Buffer.from(given);
  for (let chunk = Math.floor(offset / CHUNK_SIZE); chunk * CHUNK_SIZE < end; chunk++) expect(opened.present[chunk]).toBe(1);
  const bytes = Buffer.alloc(end - offset);
  readSync(descriptors.get(opened)!, bytes, 0, bytes.length, offset);
  return bytes;
}

function rangesAsked(): string[] {
  return rig.server.requests
    .filter(({ method, headers }) => method === 'GET' && headers.range !== undefined)
    .map(({ headers }) => headers.range!);
}

async function becomesWhole(cache: ObjectCache, request: ObjectRequest): Promise<void> {
  for (let wait = 0; wait < 200 && !cache.isPresent(request); wait++) await sleep(20);
  expect(cache.isPresent(request)).toBe(true);
}

describe('content read by chunk', () => {
  it('brings one chunk for a header, and small content whole', async () => {
    rig.objects.set('small', content.subarray(0, 1000));
    const cache = open();
    const opened = await openPartial(cache, published());
    expect((await read(cache, opened, 0, 2880)).equals(content.subarray(0, 2880))).toBe(true);
    expect(rangesAsked()).toEqual([`bytes=0-${CHUNK_SIZE - 1}`]);
    expect(cache.isPresent(published())).toBe(false);
    expect((await cache.openContent(rig.request('small'))).kind).toBe('whole');
  });

  it('gives the right bytes wherever and in whatever order they are read', async () => {
    const cache = open();
    const opened = await openPartial(cache, published());
    const reads = fc.array(fc.tuple(fc.integer({ min: 0, max: SIZE - 1 }), fc.integer({ min: 1, max: 3 * CHUNK_SIZE })), {
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(reads, async (wanted) => {
        const got = await Promise.all(wanted.map(([offset, length]) => read(cache, opened, offset, length)));
        got.forEach((bytes, i) => {
          const [offset, length] = wanted[i]!;
          expect(bytes.equals(content.subarray(offset, offset + length))).toBe(true);
        });
      }),
      { numRuns: 10 },
    );
    expect((await read(cache, opened, SIZE, 10)).length).toBe(0);
  });

  it('reads ahead of who reads in order, in few and ever longer requests; the whole becomes an object under its digest', async () => {
    const cache = open();
    const opened = await openPartial(cache, published());
    for (let chunk = 0; chunk * CHUNK_SIZE < SIZE; chunk++) {
      if (opened.present[chunk] === 1) cache.advance(opened.id, chunk);
      await read(cache, opened, chunk * CHUNK_SIZE, CHUNK_SIZE);
    }
    await becomesWhole(cache, published());
    const lengths = rangesAsked()
      .map((range) => /(\d+)-(\d+)/.exec(range)!)
      .map(([, from, to]) => Number(to) - Number(from) + 1);
    expect(lengths.length).toBeLessThanOrEqual(7);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(SIZE);
    cache.closePartial(opened.id);
    expect((await cache.openContent(published())).kind).toBe('whole');
    for (let wait = 0; wait < 100 && readdirSync(join(rig.cacheDirectory, 'partial')).length > 0; wait++) await sleep(20);
    expect(readdirSync(join(rig.cacheDirectory, 'partial'))).toEqual([]);
  });

  it('pins content without a digest to what it was first', async () => {
    const cache = open();
    const request = rig.request('large');
    const opened = await openPartial(cache, request);
    await read(cache, opened, 0, SIZE);
    await becomesWhole(cache, request);
    expect(cache.pinnedSize(request)).toBe(SIZE);
  });

  it('two caches on one directory share what either has fetched, also while both have it open', async () => {
    const [one, other] = [open(), open()];
    const [first, second] = [await openPartial(one, published()), await openPartial(other, published())];
    expect(first.path).toBe(second.path);
    await read(one, first, 5 * CHUNK_SIZE, 10);
    const before = rangesAsked().length;
    expect((await read(other, second, 5 * CHUNK_SIZE, CHUNK_SIZE)).equals(content.subarray(5 * CHUNK_SIZE, 6 * CHUNK_SIZE))).toBe(true);
    expect(rangesAsked()).toHaveLength(before);
    await Promise.all([read(one, first, 0, SIZE), read(other, second, 0, SIZE)]);
    await becomesWhole(one, published());
  });

  it('finds a damaged chunk on disk and fetches it again', async () => {
    const cache = open();
    const opened = await openPartial(cache, published());
    await read(cache, opened, 3 * CHUNK_SIZE, 10);
    cache.closePartial(opened.id);
    await cache.close();
    const fd = openSync(opened.path!, 'r+');
    writeSync(fd, Buffer.from([content[3 * CHUNK_SIZE + 5]! ^ 1]), 0, 1, 3 * CHUNK_SIZE + 5);
    closeSync(fd);
    const again = open();
    const reopened = await openPartial(again, published());
    expect((await read(again, reopened, 3 * CHUNK_SIZE, CHUNK_SIZE)).equals(content.subarray(3 * CHUNK_SIZE, 4 * CHUNK_SIZE))).toBe(true);
    expect(again.statistics().wrongDigest).toBe(1);
  });

  it('the whole has another digest: every later read fails, nothing is kept, and who opens it again gets an error before a byte', async () => {
    const broken: number[] = [];
    const cache = open({ onBroken: (id) => broken.push(id) });
    const wrong = Buffer.from(content);
    wrong[SIZE - 1]! ^= 1;
    rig.objects.set('large', wrong);
    const opened = await openPartial(cache, published());
    await read(cache, opened, 0, SIZE).catch(() => undefined);
    for (let wait = 0; wait < 200 && broken.length === 0; wait++) await sleep(20);
    expect(broken).toEqual([opened.id]);
    await expect(cache.readPartial(opened.id, 0, 10)).rejects.toMatchObject({ code: 'wrong-digest' });
    await expect(cache.openContent(published())).rejects.toMatchObject({ code: 'wrong-digest' });
    cache.closePartial(opened.id);
    expect(cache.isPresent(published())).toBe(false);
    rig.objects.set('large', content);
    expect((await cache.openContent(published())).kind).toBe('whole');
  });

  it('with digests of chunks: a wrong chunk is fetched once more past caches, then refused, and the others stay readable', async () => {
    const digests: ChunkDigests = {
      size: SIZE,
      chunkSize: CHUNK_SIZE,
      whole: digest,
      digest: (index) =>
        createHash('sha256')
          .update(content.subarray(index * CHUNK_SIZE, (index + 1) * CHUNK_SIZE))
          .digest(),
    };
    const cache = open({ chunkDigests: () => digests });
    const wrong = Buffer.from(content);
    wrong[7 * CHUNK_SIZE]! ^= 1;
    rig.objects.set('large', wrong);
    const opened = await openPartial(cache, published());
    await expect(cache.readPartial(opened.id, 7 * CHUNK_SIZE, 10)).rejects.toMatchObject({ code: 'wrong-digest' });
    expect(rig.server.requests.at(-1)!.headers['cache-control']).toBe('no-cache');
    expect((await read(cache, opened, 9 * CHUNK_SIZE, 10)).equals(content.subarray(9 * CHUNK_SIZE, 9 * CHUNK_SIZE + 10))).toBe(true);
    rig.objects.set('large', content);
    cache.closePartial(opened.id);
    const reopened = await openPartial(cache, published());
    await read(cache, reopened, 0, SIZE);
    await becomesWhole(cache, published());
  });

  it('another version at the origin is an error for who has it open, and a new start for who opens it', async () => {
    const cache = open();
    const request = rig.request('large', { size: SIZE });
    const opened = await openPartial(cache, request);
    await read(cache, opened, 0, 10);
    const next = Buffer.from(content.map((byte) => byte ^ 0x55));
    rig.objects.set('large', next);
    await expect(cache.readPartial(opened.id, 10 * CHUNK_SIZE, 10)).rejects.toMatchObject({ code: 'remote-changed' });
    cache.closePartial(opened.id);
    const reopened = await openPartial(cache, request);
    expect((await read(cache, reopened, 10 * CHUNK_SIZE, 10)).equals(next.subarray(10 * CHUNK_SIZE, 10 * CHUNK_SIZE + 10))).toBe(true);
  });

  it('a cache without room: the bytes come past it', async () => {
    const cache = open({ limit: 3 * CHUNK_SIZE });
    const opened = await openPartial(cache, published());
    for (let offset = 0; offset < SIZE; offset += CHUNK_SIZE) {
      expect((await read(cache, opened, offset, CHUNK_SIZE)).equals(content.subarray(offset, offset + CHUNK_SIZE))).toBe(true);
    }
    expect(cache.statistics().bytes).toBeLessThanOrEqual(3 * CHUNK_SIZE);
  });

  it('a waiter that gives up disturbs no other, and nothing is left when all have closed', async () => {
    rig.server.handler = (request, response, count) => {
      if (count > 1) setTimeout(() => serveBytes(request, response, content), 150);
      else serveBytes(request, response, content);
    };
    const cache = open();
    const opened = await openPartial(cache, published());
    const giving = new AbortController();
    const given = cache.readPartial(opened.id, 0, 10, { signal: giving.signal });
    const staying = read(cache, opened, 0, 10);
    giving.abort();
    await expect(given).rejects.toMatchObject({ code: 'interrupted' });
    expect((await staying).equals(content.subarray(0, 10))).toBe(true);
    const waiting = cache.readPartial(opened.id, 12 * CHUNK_SIZE, 10);
    waiting.catch(() => undefined);
    cache.closePartial(opened.id);
    await expect(waiting).rejects.toMatchObject({ code: 'interrupted' });
  });
});

it('two that write to one file take turns: every chunk is stored, each once', async () => {
  const paths = { data: join(rig.directory, 'x.data'), map: join(rig.directory, 'x.map') };
  const files = await Promise.all([ChunkFile.open(paths, SIZE, CHUNK_SIZE), ChunkFile.open(paths, SIZE, CHUNK_SIZE)]);
  const chunks = Array.from({ length: Math.ceil(SIZE / CHUNK_SIZE) }, (_, chunk) => chunk);
  const bytesOf = (chunk: number): Buffer => content.subarray(chunk * CHUNK_SIZE, (chunk + 1) * CHUNK_SIZE);
  const stored = await Promise.all(
    files.map((file, i) => Promise.all((i === 0 ? chunks : [...chunks].reverse()).map((chunk) => file.write(chunk, bytesOf(chunk))))),
  );
  expect(stored.flat()).not.toContain(false);
  for (const file of files) await file.close();
  expect(digestOf(readFileSync(paths.data))).toEqual(digest);
  expect(statSync(paths.map).size).toBe(16 * chunks.length);
});

describe('reading ahead', () => {
  it('doubles for a reader in order, starts at one for another, and follows several', () => {
    const ahead = new ReadingAhead();
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((chunk) => ahead.cameTo(chunk))).toEqual([1, 2, 4, 8, 16, 32, 32, 32]);
    expect(ahead.cameTo(500)).toBe(1);
    expect(ahead.cameTo(501)).toBe(2);
    expect(ahead.cameTo(8)).toBe(32);
    expect(ahead.cameTo(502)).toBe(4);
  });
});
