import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../common/errors.js';
import { plainConfiguration } from '../../testing/gen3.js';
import { parseButlerConfiguration } from './configuration.js';

const where = '/data/repo';
const parse = (text: string) => parseButlerConfiguration(text, where);
const refused = (code: ErrorCode, message: string): Error =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string }) as Error;
const registry = (db: string): string => plainConfiguration.replace(/db: .*/, `db: '${db}'`);

describe('butler.yaml', () => {
  it('names the registry and the datastore', () => {
    expect(parse(plainConfiguration)).toEqual({
      registry: 'gen3.sqlite3',
      datastores: [{ root: '', recordsTable: 'file_datastore_records' }],
    });
  });

  it('tolerates what it does not know, and fills in what is usual', () => {
    expect(parse('datastore: {novelty: [1]}\nincludeConfigs: other.yaml\n')).toEqual(parse(plainConfiguration));
    expect(parse('registry: {db: "sqlite:///<butlerRoot>/sub/x.db", managers: !include m.yaml}')).toMatchObject({ registry: 'sub/x.db' });
  });

  it.each([
    ['sqlite:///<butlerRoot>/gen3.sqlite3', 'gen3.sqlite3'],
    ['sqlite:////data/repo/db/gen3.sqlite3', 'db/gen3.sqlite3'],
    ['sqlite+pysqlite:///<butlerRoot>/a.db?timeout=5', 'a.db'],
    ['sqlite:///gen3.sqlite3', 'gen3.sqlite3'],
  ])('finds the registry %s', (db, path) => {
    expect(parse(registry(db)).registry).toBe(path);
  });

  it.each([
    ['sqlite:////elsewhere/gen3.sqlite3', "'/elsewhere/gen3.sqlite3' lies outside"],
    ['sqlite:////data/repository/gen3.sqlite3', 'lies outside'],
    ['sqlite:///<butlerRoot>/../gen3.sqlite3', 'lies outside'],
    ['sqlite://', "kept by 'sqlite'"],
    ['postgresql+psycopg2://user:secret@host/db', "kept by 'postgresql+psycopg2'"],
  ])('refuses the registry %s', (db, message) => {
    expect(() => parse(registry(db))).toThrow(refused('unsupported-repository', message));
    expect(() => parse(registry(db))).not.toThrow('secret');
  });

  it('takes several datastores, and those that keep no files for none', () => {
    const chained = (...stores: string[]): string =>
      `datastore:\n  cls: x.ChainedDatastore\n  datastores:\n${stores.map((store) => `    - {${store}}\n`).join('')}`;
    const stores = [
      'cls: x.InMemoryDatastore',
      'cls: x.FileDatastore, root: <butlerRoot>/a/, records: {table: t}',
      'cls: x.FileDatastore, root: "s3://b/c/"',
    ];
    expect(parse(chained(...stores)).datastores).toEqual([
      { root: 'a', recordsTable: 't' },
      { root: 's3://b/c', recordsTable: 'file_datastore_records' },
    ]);
    expect(() => parse(chained('cls: x.InMemoryDatastore'))).toThrow(
      refused('unsupported-repository', 'none of its datastores keeps files'),
    );
    expect(() => parse('datastore: {cls: x.SasquatchDatastore}')).toThrow(refused('unsupported-repository', 'x.SasquatchDatastore'));
    expect(parse('datastore: {root: /other/files}').datastores[0]!.root).toBe('file:///other/files');
    expect(() => parse('datastore: {root: "<butlerRoot>/../x"}')).toThrow(refused('unsupported-repository', 'leads out'));
  });

  it('says that a butler server is one', () => {
    const server = 'cls: lsst.daf.butler.remote_butler.RemoteButler\nremote_butler: {url: "https://example.org/api/butler"}\n';
    expect(() => parse(server)).toThrow(refused('unsupported-repository', 'butler server'));
  });

  it.each([
    ['a: [1', 'not YAML'],
    ['just text', 'what a butler configuration has'],
    ['', 'what a butler configuration has'],
    ['datastore: 5', "'datastore'"],
    ['parameters: {x: 1}', "neither 'datastore' nor 'registry'"],
    ['<html><body>404</body></html>', 'butler.yaml in /data/repo'],
  ])('refuses %j', (text, message) => {
    expect(() => parse(text)).toThrow(refused('not-a-repository', message));
  });

  it('refuses YAML that would grow without bound', () => {
    const bomb = [
      'a: &a [x, x, x, x, x, x, x, x, x]',
      ...'bcdefgh'.split('').map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(', ')}]`),
    ];
    expect(() => parse(bomb.join('\n'))).toThrow(refused('not-a-repository', 'cannot be resolved'));
  });
});
