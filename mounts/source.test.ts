import { createServer } from 'node:http';
import { appendFile, cp, mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../registry/sqlite/driver.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openCatalogue } from '../registry/open.js';
import { sharedData } from '../test/shared.js';
import { openSource } from './source.js';
import { lockSource } from './source-lock.js';
import { currentCatalogueFile } from './source-store.js';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Configuration } from './configuration.js';
import type { OpenedSource } from './source.js';

/** Typed, where the matcher itself is `any`. */
const containing = (text: string): unknown => expect.stringContaining(text);

const shared = sharedData();
const configuration: Configuration = { sources: {}, credentials: {}, defaults: {}, aliases: {} };
const never = new AbortController().signal;

let directory: string;
let repository: string;
let progress: string[];
const opened: OpenedSource[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'butlerfs-source-'));
  repository = join(directory, 'repo');
  progress = [];
  await mkdir(repository);
  if (shared === undefined) return;
  for (const name of ['butler.yaml', 'gen3.sqlite3']) {
    await cp(join(shared, 'gen3-hsc', name), join(repository, name));
  }
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((source) => source.close()));
  await rm(directory, { recursive: true });
});

async function open(source: string, signal = never): Promise<OpenedSource> {
  const settings = { configuration, cacheDirectory: join(directory, 'cache'), onProgress: (line: string) => void progress.push(line) };
  const result = await openSource(source, { ...settings, deadline: 2_000, idleTimeout: 1_000 }, { signal });
  opened.push(result);
  return result;
}

/** Changes the registry as new data do, and its validator with it. */
function addRun(name: string): void {
  const database = new Database(join(repository, 'gen3.sqlite3'));
  database.prepare('INSERT INTO collection (name, type) VALUES (?, 1)').run(name);
  database.prepare('INSERT INTO run (collection_id) SELECT collection_id FROM collection WHERE name = ?').run(name);
  database.close();
}

function collectionsIn(catalogueFile: string): string[] {
  const catalogue = openCatalogue(catalogueFile)!;
  try {
    return catalogue.collections().map(({ name }) => name);
  } finally {
    catalogue.close();
  }
}

describe.runIf(shared !== undefined)('a local repository', () => {
  test('is indexed once, its registry read in place', async () => {
    const first = await open(repository);
    expect(first.repository).toBe(repository);
    expect([...first.copies.values()]).toEqual([join(repository, 'gen3.sqlite3')]);
    expect(first.info).toMatchObject({ version: 1, datasets: 401, repository, format: 'gen3' });
    expect(first.problem).toBeUndefined();
    expect(progress.join()).toContain('indexing');

    progress = [];
    const second = await open(repository);
    expect(second.catalogueFile).toBe(first.catalogueFile);
    expect(progress).toEqual([]);
  });

  test('brings its catalogue up to date in place when it changes, also for those who opened it before', async () => {
    const source = await open(repository);
    const other = await open(repository);
    const before = openCatalogue(source.catalogueFile)!;
    expect(await source.refresh({ signal: never })).toMatchObject({ changed: false, info: { version: 1 } });
    for (const version of [2, 3]) {
      addRun(`new/${version}`);
      expect(await source.refresh({ signal: never })).toMatchObject({ changed: true, info: { version } });
      expect(collectionsIn(source.catalogueFile)).toContain(`new/${version}`);
    }
    const files = (await readdir(source.catalogueDirectory)).filter((name) => !/-(wal|shm)$/.test(name)).sort();
    expect(files).toEqual(['catalogue-1.sqlite3', 'current', 'lock']);
    expect(await currentCatalogueFile(source.catalogueDirectory)).toBe(source.catalogueFile);
    expect([before.info.version, before.collections().some(({ name }) => name.startsWith('new/'))]).toEqual([1, false]);
    before.close();
    expect(await other.refresh({ signal: never })).toMatchObject({ changed: true, info: { version: 3 } });
  });

  test('is indexed anew when its configuration changed: the last two catalogues are kept', async () => {
    const source = await open(repository);
    for (const version of [2, 3]) {
      // Where its files are may be told otherwise.
      await appendFile(join(repository, 'butler.yaml'), `# ${version}\n`);
      expect(await source.refresh({ signal: never })).toMatchObject({ changed: true, info: { version } });
    }
    expect((await readdir(source.catalogueDirectory)).filter((name) => name.endsWith('.sqlite3')).sort()).toEqual([
      'catalogue-2.sqlite3',
      'catalogue-3.sqlite3',
    ]);
  });

  test('sees what only the write-ahead log holds so far', async () => {
    const database = new Database(join(repository, 'gen3.sqlite3'));
    database.pragma('journal_mode = WAL');
    const source = await open(repository);
    const times = await stat(join(repository, 'gen3.sqlite3'));
    database.prepare("INSERT INTO collection (name, type) VALUES ('in/the/log', 2)").run();
    await utimes(join(repository, 'gen3.sqlite3'), times.atime, times.mtime);
    const { changed, catalogueFile } = await source.refresh({ signal: never });
    database.close();
    expect(changed).toBe(true);
    expect(collectionsIn(catalogueFile)).toContain('in/the/log');
  });

  test('calls of refresh at the same time, and opens of several processes, make one version', async () => {
    const [a, b] = await Promise.all([open(repository), open(repository)]);
    expect([a.info.version, b.info.version]).toEqual([1, 1]);
    addRun('new');
    await Promise.all([a.refresh({ signal: never }), a.refresh({ signal: never }), b.refresh({ signal: never })]);
    expect([a.info.version, b.info.version]).toEqual([2, 2]);
  });

  test('is indexed anew where the catalogue is damaged or gone, and after a crash in the middle', async () => {
    const source = await open(repository);
    await writeFile(source.catalogueFile, 'garbage');
    const again = await open(repository);
    expect(again.info).toMatchObject({ version: 2, datasets: 401 });
    await rm(again.catalogueFile);
    await writeFile(join(source.catalogueDirectory, 'catalogue-9.sqlite3'), 'of a version that never counted');
    await writeFile(join(source.catalogueDirectory, 'registry-9.sqlite3.1-00.part'), 'half a download');
    expect((await open(repository)).info.datasets).toBe(401);
    expect((await readdir(source.catalogueDirectory)).filter((name) => name.includes('-9'))).toEqual([]);
  });

  test('with an empty registry is said to be a failed creation', async () => {
    await truncate(join(repository, 'gen3.sqlite3'));
    await expect(open(repository)).rejects.toMatchObject({ code: 'corrupt-repository', message: containing('butler create') });
  });

  test('without its registry, or with something else in its place, is corrupt', async () => {
    await writeFile(join(repository, 'gen3.sqlite3'), 'this is no database'.repeat(1_000));
    await expect(open(repository)).rejects.toMatchObject({ code: expect.stringMatching(/^(corrupt|not-a)-repository$/) as unknown });
    await rm(join(repository, 'gen3.sqlite3'));
    await expect(open(repository)).rejects.toMatchObject({
      code: 'corrupt-repository',
      message: containing('it is not there'),
    });
  });

  test('can be given by its butler.yaml, or from the folder above with a hint', async () => {
    expect((await open(join(repository, 'butler.yaml'))).repository).toBe(repository);
    await expect(open(directory)).rejects.toMatchObject({
      code: 'not-a-repository',
      message: containing(`one is in ${repository}`),
    });
    await expect(open(join(directory, 'missing'))).rejects.toMatchObject({ code: 'not-a-repository' });
  });

  test('an interrupted open leaves nothing that counts', async () => {
    await expect(open(repository, AbortSignal.abort())).rejects.toMatchObject({ code: 'interrupted' });
    expect((await open(repository)).info.version).toBe(1);
  });
});

describe.runIf(shared !== undefined)('a repository behind HTTP', () => {
  let server: Server;
  let url: string;
  let requests: string[];
  let failWith: number | undefined;

  beforeAll(async () => {
    server = createServer((request, response) => void serve(request.method!, request.url!, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/data/repo`;
  });
  beforeEach(() => {
    requests = [];
    failWith = undefined;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  async function serve(method: string, path: string, response: import('node:http').ServerResponse): Promise<void> {
    requests.push(`${method} ${path}`);
    const file = join(repository, path.replace('/data/repo', ''));
    const found = await stat(file).catch(() => undefined);
    if (failWith !== undefined || found?.isFile() !== true) {
      response.writeHead(failWith ?? 404).end();
      return;
    }
    response.writeHead(200, {
      'content-length': found.size,
      etag: `"${found.mtimeMs}-${found.size}"`,
      'last-modified': found.mtime.toUTCString(),
    });
    response.end(method === 'HEAD' ? undefined : await readFile(file));
  }

  const downloads = (): number => requests.filter((request) => request === 'GET /data/repo/gen3.sqlite3').length;

  test('is fetched and indexed once, and again when its validator changes', async () => {
    const first = await open(url);
    expect(first).toMatchObject({ repository: url, info: { datasets: 401, repository: url } });
    const copy = first.copies.get(`${url}/gen3.sqlite3`);
    expect((await readFile(copy!)).equals(await readFile(join(repository, 'gen3.sqlite3')))).toBe(true);
    const second = await open(url);
    await second.refresh({ signal: never });
    expect(downloads()).toBe(1);

    const before = openCatalogue(first.catalogueFile)!;
    addRun('new/run');
    expect(await second.refresh({ signal: never })).toMatchObject({ changed: true, info: { version: 2 } });
    expect(downloads()).toBe(2);
    expect(collectionsIn(second.catalogueFile)).toContain('new/run');
    // Whoever has the first version open still serves it.
    expect(before.collections().map(({ name }) => name)).not.toContain('new/run');
    before.close();
  });

  test.each([500, 503])('goes on with what was catalogued while the origin answers %i', async (status) => {
    await open(url);
    failWith = status;
    const offline = await open(url);
    expect(offline.info).toMatchObject({ version: 1, datasets: 401 });
    expect(offline.problem).toMatchObject({ code: 'remote-failed' });
    await expect(offline.refresh({ signal: never })).rejects.toMatchObject({ code: 'remote-failed' });
    failWith = undefined;
    expect(await offline.refresh({ signal: never })).toMatchObject({ changed: false });
  });

  test('goes on with what was catalogued while nobody listens, but cannot begin so', async () => {
    const { port } = server.address() as AddressInfo;
    await open(url);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    try {
      expect((await open(url)).problem).toMatchObject({ code: 'remote-unreachable' });
      await expect(open(`${url}/other`)).rejects.toMatchObject({ code: 'remote-unreachable' });
    } finally {
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    }
  });

  test.each([
    [401, 'remote-forbidden'],
    [403, 'remote-forbidden'],
    [404, 'not-a-repository'],
  ])('answering %i is an error, catalogued or not', async (status, code) => {
    failWith = status;
    await expect(open(url)).rejects.toMatchObject({ code });
    failWith = undefined;
    await open(url);
    failWith = status;
    await expect(open(url)).rejects.toMatchObject({ code });
  });

  test('a web page in the place of butler.yaml is said to be one', async () => {
    await writeFile(join(repository, 'butler.yaml'), '<!DOCTYPE html><html><body>Please log in</body></html>');
    await expect(open(url)).rejects.toMatchObject({ code: 'not-a-repository', message: containing('web page') });
  });
});

test('the lock keeps others waiting until it is released, interrupted or late', async () => {
  const file = join(directory, 'lock');
  const release = await lockSource(file, { signal: never, onWait: () => undefined });
  let waited = 0;
  const onWait = (): void => void waited++;
  await expect(lockSource(file, { signal: never, onWait, deadline: 150 })).rejects.toMatchObject({ code: 'cache-failed' });
  const controller = new AbortController();
  const interrupted = lockSource(file, { signal: controller.signal, onWait });
  controller.abort();
  await expect(interrupted).rejects.toMatchObject({ code: 'interrupted' });
  const next = lockSource(file, { signal: never, onWait: () => void (waited++, release()) });
  const releaseNext = await next;
  await releaseNext();
  expect(waited).toBe(3);
});
