/** Gen3 repositories whose registry PostgreSQL keeps, made by the real butler from one in SQLite. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RepositoryRecord } from '../registry/contract.js';
import { openServerRegistry } from '../registry/readers/gen3-postgresql/reader.js';
import { parseServerConfiguration } from '../registry/readers/gen3-postgresql/configuration.js';
import { registryValidator } from '../registry/readers/gen3-postgresql/validator.js';
import { openRepository } from '../registry/testing/repositories.js';
import { sharedData } from './shared.js';
import { mountRepository, temporaryHome } from './support/mounted.js';
import { hasPostgresql, PostgresqlServer } from './support/postgresql.js';
import { python, sharedTools } from './support/python.js';
import { runSuccessfully } from './support/run.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';

const COPY = `
import os, sys, tempfile
from lsst.daf.butler import Butler, Config
source, target, db = sys.argv[1:]
config = Config()
config["registry", "db"] = db
config["registry", "namespace"] = "hsc"
config["datastore", "checksum"] = True
Butler.makeRepo(target, config=config)
origin, copy = Butler.from_config(source), Butler.from_config(target, writeable=True)
with tempfile.TemporaryDirectory() as place:
    name = os.path.join(place, "export.yaml")
    with origin.export(filename=name, format="yaml") as export:
        types = [t for t in origin.registry.queryDatasetTypes() if not t.component()]
        export.saveDatasets({ref for t in types for ref in origin.registry.queryDatasets(t, collections="*", findFirst=False)})
        for collection in origin.registry.queryCollections():
            if origin.registry.getCollectionType(collection).name != "RUN":
                export.saveCollection(collection)
        for element in origin.dimensions.elements:
            if element.has_own_table:
                export.saveDimensionData(element, origin.registry.queryDimensionRecords(element))
    copy.import_(filename=name, directory=source, transfer="copy")
`;

/** An interpreter with the real butler and its PostgreSQL driver. */
function pythonWithDriver(): string | undefined {
  const program = sharedData() === undefined ? undefined : python();
  if (program === undefined) return undefined;
  if (spawnSync(program, ['-c', 'import psycopg2'], { timeout: 30_000, stdio: 'ignore' }).status === 0) return program;
  process.stderr.write(
    'tests of registries that the real butler keeps in PostgreSQL are left out: no psycopg2 (package psycopg2-binary)\n',
  );
  return undefined;
}

/** Records without what is new in a copy: numbers, and the times at which files were taken in. */
function comparable(records: readonly RepositoryRecord[], dimensions: ReadonlySet<string>): string[] {
  const names = new Map<string, string>();
  for (const record of records) {
    if (record.kind === 'collection' || record.kind === 'dataset-type') names.set(`${record.kind} ${record.id}`, record.name);
  }
  const named = (key: string, value: unknown): unknown => {
    if (['parent', 'child', 'run', 'collection'].includes(key)) return names.get(`collection ${String(value)}`);
    if (key === 'type' && typeof value === 'number') return names.get(`dataset-type ${value}`);
    return value;
  };
  return records
    .filter((record) => record.kind !== 'file' && (record.kind !== 'dimension' || dimensions.has(record.element)))
    .map((record) => {
      const entries = Object.entries(record).filter(([key]) => !['id', 'ingested', 'json', 'position'].includes(key));
      const sorted = entries.map(([key, value]) => [key, named(key, value)] as const).sort(([a], [b]) => (a < b ? -1 : 1));
      return JSON.stringify(Object.fromEntries(sorted), (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
    })
    .sort();
}

const interpreter = hasPostgresql() ? pythonWithDriver() : undefined;

describe.runIf(interpreter !== undefined)('a registry that the real butler keeps in PostgreSQL', () => {
  let server: PostgresqlServer;
  let place: string;
  const original = join(sharedData() ?? '', 'gen3-hsc');

  beforeAll(async () => {
    place = temporaryDirectory('gen3-postgresql');
    server = await PostgresqlServer.start();
    await server.createDatabase('registry');
    await server.query('registry', 'create extension btree_gist');
    const db = `postgresql+psycopg2://butler@127.0.0.1:${server.port}/registry`;
    const env = { ...server.environment, PYTHONPATH: [sharedTools(), process.env['PYTHONPATH']].join(':') };
    await runSuccessfully(interpreter!, ['-W', 'ignore', '-c', COPY, original, join(place, 'copy'), db], { env, timeout: 100_000 });
  });
  afterAll(async () => {
    await server?.stop();
    if (place !== undefined) removeDirectory(place);
  });

  it('gives the same records as the one in SQLite', async () => {
    const configuration = parseServerConfiguration(readFileSync(join(place, 'copy/butler.yaml'), 'utf8'), join(place, 'copy'))!;
    const { address, namespace, datastores } = configuration;
    const access = { address, user: 'butler', password: PostgresqlServer.password };
    const reader = await openServerRegistry({ access, namespace, datastores, repository: 'copy' });
    const ours: RepositoryRecord[] = [];
    for await (const record of reader.records()) ours.push(record);
    await reader.close();
    const source = openRepository(original);
    const theirs = [...source.records()];
    source.close();
    const elements = new Set(ours.flatMap((record) => (record.kind === 'dimension' ? [record.element] : [])));
    expect([...elements]).toEqual(
      expect.arrayContaining(['instrument', 'visit', 'exposure', 'day_obs', 'skymap', 'tract', 'patch', 'detector']),
    );
    const [made, wanted] = [comparable(ours, elements), comparable(theirs, elements)];
    const [known, expected] = [new Set(made), new Set(wanted)];
    expect([made.filter((text) => !expected.has(text)).slice(0, 3), wanted.filter((text) => !known.has(text)).slice(0, 3)]).toEqual([
      [],
      [],
    ]);
    expect(made).toHaveLength(wanted.length);
    expect(ours.every((record) => record.kind !== 'dataset' || record.ingested! > 1_700_000_000_000_000_000n)).toBe(true);

    const before = await registryValidator(access, namespace);
    expect(await registryValidator(access, namespace)).toBe(before);
    await server.query('registry', `update hsc.collection set doc = 'changed' where name = 'u/me/all'`);
    await eventually('the write being counted', async () => (await registryValidator(access, namespace)) !== before, 15_000);
  });

  it('is mounted as the repository in SQLite is', async () => {
    const home = temporaryHome();
    const env = { ...server.environment };
    const mount = await mountRepository(join(place, 'copy'), {
      home: { ...home, cli: (words, options) => home.cli(words, { ...options, env }) },
      args: ['--collections', 'u/me/all'],
    }).catch((error: unknown) => error);
    if (mount instanceof Error) throw mount;
    const other = await mountRepository(original, { args: ['--collections', 'u/me/all'] });
    const mounts = [mount as Awaited<ReturnType<typeof mountRepository>>, other];
    try {
      const [ours, theirs] = await Promise.all(
        mounts.map(async ({ path }) => (await readdir(join(path, 'deepCoadd_calexp'), { recursive: true })).sort()),
      );
      expect(ours!.length).toBeGreaterThan(0);
      expect(ours).toEqual(theirs);
    } finally {
      for (const one of mounts) await one.dispose();
    }
  });
});
