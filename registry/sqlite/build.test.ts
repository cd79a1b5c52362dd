/** Catalogues as files: published whole or not at all, opened only when whole, shared by threads. */

import { Database } from './driver.js';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import ts from 'typescript';
import { afterAll, describe, expect, it } from 'vitest';
import { collection, dataset, datasetType, membership, universe } from '../testing/records.js';
import { catalogueOf, readerOf, temporaryDirectory, uuidOf } from '../testing/repositories.js';
import { buildCatalogue } from './build.js';
import { openCatalogue } from './open.js';

const directory = temporaryDirectory();
afterAll(() => directory.remove());

describe('building and opening', () => {
  const few = (count: number) => () => [
    universe(),
    collection(1, 'run'),
    datasetType(1, 'calexp', ['visit', 'detector']),
    ...Array.from({ length: count }, (_, index) => dataset(index + 1)),
  ];
  const target = join(directory.path, 'target', 'deep', 'catalogue.sqlite3');
  const build = (count: number, options: { signal?: AbortSignal; onProgress?: (records: number) => void } = {}) =>
    buildCatalogue({
      reader: readerOf(few(count)),
      target,
      repository: 'https://example.org/repo',
      validator: null,
      version: 3,
      ...options,
    });

  it('reports what it read', () => {
    const progress: number[] = [];
    const info = build(10_000, { onProgress: (records) => progress.push(records) });
    expect(info).toMatchObject({
      version: 3,
      repository: 'https://example.org/repo',
      format: 'native',
      validator: null,
      datasets: 10_000,
      unstored: 0,
    });
    expect(progress).toEqual([4096, 8192, 10_003]);
    const catalogue = openCatalogue(target)!;
    expect(catalogue.info).toEqual(info);
    catalogue.close();
  });

  it('leaves the old catalogue and nothing else behind when it is aborted or the reader fails', () => {
    const before = readFileSync(target);
    const abort = new AbortController();
    const aborted = expect.objectContaining({ code: 'interrupted' }) as Error;
    expect(() => build(10_000, { signal: abort.signal, onProgress: () => abort.abort() })).toThrow(aborted);
    const failing = readerOf(function* () {
      yield* few(5)();
      throw new Error('the reader failed');
    });
    expect(() => buildCatalogue({ reader: failing, target, repository: 'x', validator: null, version: 4 })).toThrow('the reader failed');
    expect(readFileSync(target).equals(before)).toBe(true);
    expect(readdirSync(join(target, '..'))).toEqual(['catalogue.sqlite3']);
  });

  it('says that it cannot write', () => {
    writeFileSync(join(directory.path, 'file'), '');
    const failed = expect.objectContaining({ code: 'cache-failed' }) as Error;
    const attempt = () =>
      buildCatalogue({ reader: readerOf(few(1)), target: join(directory.path, 'file', 'x'), repository: 'x', validator: null, version: 1 });
    expect(attempt).toThrow(failed);
  });

  it('replaces a catalogue under those who read the old one', () => {
    build(10);
    const old = openCatalogue(target)!;
    build(20);
    const fresh = openCatalogue(target)!;
    expect([old.datasetByUuid(uuidOf(15)), old.info.datasets, fresh.info.datasets]).toEqual([undefined, 10, 20]);
    old.close();
    fresh.close();
  });

  it('does not open what is no whole catalogue of this schema', () => {
    build(5000);
    const copy = (name: string, change: (file: string) => void): string => {
      const file = join(directory.path, name);
      copyFileSync(target, file);
      change(file);
      return file;
    };
    const version = copy('version', (file) => {
      const database = new Database(file);
      database.pragma('user_version = 999');
      database.close();
    });
    const truncated = copy('truncated', (file) => truncateSync(file, 100_000));
    const garbage = copy('garbage', (file) => writeFileSync(file, 'x'.repeat(8192)));
    const empty = copy('empty', (file) => writeFileSync(file, ''));
    const other = join(directory.path, 'other');
    new Database(other).exec('create table t (x)').close();
    expect([version, truncated, garbage, empty, other, join(directory.path, 'none')].map(openCatalogue)).toEqual(Array(6).fill(undefined));
    expect(existsSync(join(directory.path, 'none'))).toBe(false);
  });

  it('is read from several threads at once', async () => {
    const file = join(directory.path, 'shared.sqlite3');
    const visits = Array.from({ length: 40 }, (_, index) => [dataset(index + 1), membership(index + 1, ['HSC', 1 + (index % 4), index])]);
    const reader = readerOf(() => [universe(), collection(1, 'run'), datasetType(1, 'calexp', ['visit', 'detector']), ...visits.flat()]);
    catalogueOf(reader, file).catalogue.close();
    const thread = transpiledThread(
      join(directory.path, 'transpiled'),
      `const catalogue = openCatalogue(workerData);
      const type = catalogue.datasetType('calexp');
      let rows = 0;
      for (let round = 0; round < 200; round++) {
        const constraint = new Map([['visit', 1 + (round % 4)]]);
        rows += catalogue.directory({ type, searchPath: catalogue.searchPath(), constraint, keys: ['detector'], rowLimit: 100 }).rows.length;
      }
      catalogue.close();
      parentPort.postMessage(rows);`,
    );
    const sums = [1, 2].map(
      () =>
        new Promise<number>((resolve, reject) => new Worker(thread, { workerData: file }).once('message', resolve).once('error', reject)),
    );
    const mine = openCatalogue(file)!;
    const query = {
      type: mine.datasetType('calexp')!,
      searchPath: mine.searchPath(),
      constraint: new Map([['visit', 2]]),
      keys: ['detector'],
      rowLimit: 100,
    };
    for (let round = 0; round < 200; round++) expect(mine.directory(query)).toMatchObject({ kind: 'rows', rows: { length: 10 } });
    mine.close();
    expect(await Promise.all(sums)).toEqual([2000, 2000]);
  });
});

/** A thread takes no TypeScript: what it needs of the project is transpiled below `root`. `code` has openCatalogue, workerData and parentPort. */
function transpiledThread(root: string, code: string): string {
  const project = fileURLToPath(new URL('../..', import.meta.url));
  for (const room of ['common', 'sky', 'registry']) {
    for (const name of readdirSync(join(project, room), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue;
      const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
      const { outputText } = ts.transpileModule(readFileSync(join(project, room, name), 'utf8'), { compilerOptions });
      const target = join(root, room, name.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, outputText);
    }
  }
  symlinkSync(join(project, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  const imports = "import { parentPort, workerData } from 'node:worker_threads';\nimport { openCatalogue } from './registry/open.js';\n";
  writeFileSync(join(root, 'thread.js'), imports + code);
  return join(root, 'thread.js');
}
