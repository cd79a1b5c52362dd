import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatDigest } from './digest.js';
import { pattern } from '../proxy/testing/conformance.js';
import { digestOf, filesBelow, startRig, type Rig } from './testing/rig.js';

const content = pattern(1_000_000);
const digest = digestOf(content);

describe('a cache shared by processes and threads', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await startRig();
    rig.objects.set('a', content).set('b', pattern(2_000));
  });
  afterEach(() => rig.close());

  it('promise 7: two processes that fetch one object end with one object, right in both', async () => {
    const children = await Promise.all([rig.startChild(), rig.startChild()]);
    const asked = `ensure a ${formatDigest(digest)}`;
    expect(await Promise.all(children.map((child) => child.ask(asked)))).toEqual(['ensured', 'ensured']);
    for (const child of children) expect(await child.ask(`open a ${formatDigest(digest)}`)).toMatchObject({ size: content.length });
    const cache = rig.open();
    const object = cache.openIfPresent(rig.request('a', { digest }))!;
    expect(readFileSync(object.fd).equals(content)).toBe(true);
    cache.close(object);
    expect(filesBelow(join(rig.cacheDirectory, 'objects'))).toHaveLength(1);
    expect(filesBelow(join(rig.cacheDirectory, 'temporary'))).toEqual([]);
  });

  it('of two processes that pin different content the first wins and the other is told', async () => {
    const children = await Promise.all([rig.startChild(), rig.startChild()]);
    expect(await children[0].ask('ensure a')).toBe('ensured');
    rig.objects.set('a', pattern(1_000_001));
    expect(await children[0].ask('ensure a')).toBe('ensured');
    expect(await children[1].ask('evict 0')).toBe(1);
    expect(await children[1].ask('ensure a')).toMatchObject({ code: 'remote-changed' });
    rig.objects.set('a', content);
    expect(await children[1].ask('ensure a')).toBe('ensured');
  });

  it('promise 7: an object open in another process is not evicted until it is closed, or its process is killed', async () => {
    const cache = rig.open();
    const [child, victim] = await Promise.all([rig.startChild(), rig.startChild()]);
    for (const path of ['a', 'b']) await cache.ensure(rig.request(path, { identity: 'child' }));
    expect(await child.ask('open a')).toMatchObject({ size: content.length });
    expect(await victim.ask('open b')).toMatchObject({ size: 2000 });
    expect(await cache.evict(0)).toBe(0);
    expect(await child.ask('close')).toBe('closed');
    expect(await cache.evict(0)).toBe(1);
    expect(cache.isPresent(rig.request('b', { identity: 'child' }))).toBe(true);
    await victim.kill();
    expect(await cache.evict(0)).toBe(1);
    expect(cache.statistics()).toMatchObject({ objects: 0, bytes: 0, evictions: 2 });
  });

  it('promise 7: kill -9 during a fetch leaves nothing that is seen, and the next to open cleans up', async () => {
    const child = await rig.startChild();
    rig.server.handler = (_, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 600_000));
    };
    void child.ask(`ensure a ${formatDigest(digest)}`);
    const temporary = join(rig.cacheDirectory, 'temporary');
    const partial = (): number => filesBelow(temporary).reduce((sum, name) => sum + readFileSync(join(temporary, name)).length, 0);
    for (let i = 0; partial() < 600_000 && i < 500; i++) await sleep(10);
    expect(partial()).toBe(600_000);

    // While it lives its file stays, whoever opens the cache.
    const early = rig.open();
    expect(filesBelow(temporary)).toHaveLength(1);
    await early.close();

    await child.kill();
    const cache = rig.open();
    expect(filesBelow(temporary)).toEqual([]);
    expect(cache.isPresent(rig.request('a', { digest }))).toBe(false);
    expect(cache.openIfPresent(rig.request('a', { digest }))).toBeUndefined();
    expect(filesBelow(join(rig.cacheDirectory, 'objects'))).toEqual([]);
    rig.server.handler = (_, response) => void response.writeHead(200, { 'content-length': content.length }).end(content);
    await cache.ensure(rig.request('a', { digest }));
    expect(cache.isPresent(rig.request('a', { digest }))).toBe(true);
  });

  it('temporary files that nobody holds are removed, others are left alone', () => {
    mkdirSync(join(rig.cacheDirectory, 'temporary'), { recursive: true });
    writeFileSync(join(rig.cacheDirectory, 'temporary', '1-1-1.part'), 'abandoned');
    writeFileSync(join(rig.cacheDirectory, 'temporary', 'note'), 'not ours');
    rig.open();
    expect(filesBelow(join(rig.cacheDirectory, 'temporary'))).toEqual(['note']);
  });

  it('a reader works in a worker thread', async () => {
    const cache = rig.open();
    await cache.ensure(rig.request('a', { digest }));
    const load = `
      const { workerData, parentPort } = require('node:worker_threads');
      const { readSync } = require('node:fs');
      import(workerData.loader).then(() => import(workerData.reader)).then(({ openReader }) => {
        const reader = openReader({ directory: workerData.directory, verify: 'open' });
        const object = reader.openIfPresent(workerData.request);
        const first = Buffer.alloc(10);
        readSync(object.fd, first, 0, 10, 0);
        reader.close(object);
        parentPort.postMessage({ size: object.size, first: first.toString('hex') });
      });`;
    const worker = new Worker(load, {
      eval: true,
      workerData: {
        directory: rig.cacheDirectory,
        request: rig.request('a', { digest }),
        loader: new URL('./testing/typescript.mjs', import.meta.url).href,
        reader: new URL('./reader.ts', import.meta.url).href,
      },
    });
    const answer = await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    await worker.terminate();
    expect(answer).toEqual({ size: content.length, first: content.subarray(0, 10).toString('hex') });
  });
});
