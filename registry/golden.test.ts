/** The shared repositories, read and catalogued, compared with every answer that the real butler gave of them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ButlerfsError } from '../common/errors.js';
import { sharedData } from '../test/shared.js';
import type { Catalogue, DataIdValue, DatasetRecord, DatasetType } from './contract.js';
import { catalogueOf, openRepository, temporaryDirectory } from './testing/repositories.js';

type GoldenDataset = [
  type: string,
  dataId: Record<string, DataIdValue>,
  uuid: string,
  run: string,
  path: string,
  checksum: string | null,
  size: number,
];

interface Golden {
  readonly made_by: { readonly universe: number };
  readonly collections: Record<string, [type: string, children?: string[]]>;
  readonly dataset_types: Record<string, { required: string[]; implied: string[]; storage_class: string; calibration: boolean }>;
  readonly datasets: GoldenDataset[];
  readonly members: Record<string, Record<string, number[]>>;
  readonly first: Record<string, Record<string, number[] | string>>;
  readonly validity: Record<string, [position: number, begin: number | null, end: number | null][]>;
  readonly where?: [type: string, collections: string[], expression: string, positions: number[]][];
}

const data = sharedData();

/** Integers past 2^53 would lose digits in JSON.parse: they come as text, `null` stays. */
function parseGolden(file: string): Golden {
  return JSON.parse(readFileSync(file, 'utf8').replace(/(?<=[[,:])(\d{17,})(?=[\],}])/g, '"$1"')) as Golden;
}

// Without them it is skipped, not empty: a file without a test is an error.
(data === undefined ? describe.skip : describe).each(['gen3-hsc', 'gen3-dc2'])('%s', (name) => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let golden: Golden;
  let catalogue: Catalogue;
  let position: Map<string, number>;

  beforeAll(() => {
    directory = temporaryDirectory();
    golden = parseGolden(join(data!, `${name}.golden.json`));
    ({ catalogue } = catalogueOf(openRepository(join(data!, name)), join(directory.path, 'catalogue.sqlite3')));
    position = new Map(golden.datasets.map((dataset, index) => [dataset[2].replaceAll('-', ''), index]));
  });
  afterAll(() => {
    catalogue?.close();
    directory?.remove();
  });

  const typeOf = (type: string): DatasetType => catalogue.datasetType(type)!;
  const positionsOf = (rows: Iterable<{ readonly uuid: string }>): number[] =>
    [...new Set([...rows].map((row) => position.get(row.uuid)!))].sort((a, b) => a - b);
  const all = (type: string, collections: readonly string[], where?: string): DatasetRecord[] => [
    ...catalogue.query({ type: typeOf(type), searchPath: catalogue.searchPath(collections), constraint: new Map(), where }),
  ];
  const listed = (type: string, collections: readonly string[]) => {
    const keys = typeOf(type).dimensions.required;
    const query = { type: typeOf(type), searchPath: catalogue.searchPath(collections), constraint: new Map(), keys, rowLimit: 1_000_000 };
    const answer = catalogue.directory(query);
    if (answer.kind !== 'rows') throw new Error('expected rows');
    return answer.rows;
  };

  it('has the collections and the chains', () => {
    const found = catalogue
      .collections()
      .map(({ name: collection, type, children }) => [collection, type === 'CHAINED' ? [type, children] : [type]]);
    expect(Object.fromEntries(found)).toEqual(golden.collections);
  });

  it('has the dataset types with their dimensions', () => {
    const found = catalogue.datasetTypes().map(({ name: type, dimensions, storageClass, isCalibration }) => [
      type,
      {
        required: [...dimensions.required].sort(),
        implied: [...dimensions.implied].sort(),
        storage_class: storageClass,
        calibration: isCalibration,
      },
    ]);
    const expected = Object.entries(golden.dataset_types).map(([type, facts]) => [
      type,
      { ...facts, required: [...facts.required].sort(), implied: [...facts.implied].sort() },
    ]);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
    expect(catalogue.universe.version).toBe(golden.made_by.universe);
  });

  it('has every dataset with its data ID, implied values, run, path, checksum and size', () => {
    for (const [type, dataId, uuid, run, path, checksum, size] of golden.datasets) {
      const dataset = catalogue.datasetByUuid(uuid.replaceAll('-', ''))!;
      const { required, implied } = dataset.type.dimensions;
      const values = Object.fromEntries([
        ...required.map((key, index) => [key, dataset.values[index]] as const),
        ...implied.map((key, index) => [key, dataset.implied[index]] as const),
      ]);
      expect({ run: dataset.run, values }).toEqual({ run, values: dataId });
      expect(dataset.files).toMatchObject([{ component: null, location: path, member: null, checksum, size: size < 0 ? null : size }]);
      expect(dataset.type.name).toBe(type);
      expect(catalogue.dataset(dataset.key)).toEqual(dataset);
      expect(catalogue.repositoryFile(path)).toEqual({ location: path, checksum, size: size < 0 ? null : size });
    }
    expect(catalogue.info.datasets - catalogue.info.unstored).toBe(golden.datasets.length);
  });

  it('has every member of every collection', () => {
    for (const type of catalogue.datasetTypes()) {
      const found: Record<string, number[]> = {};
      for (const collection of catalogue.collections()) {
        // Every dataset in it, shadowed ones too: each collection that it flattens to is asked by itself.
        const parts = catalogue.searchPath([collection.name]).collections;
        const members = positionsOf(parts.flatMap((part) => all(type.name, [part.name])));
        if (members.length > 0) found[collection.name] = members;
      }
      expect([type.name, found]).toEqual([type.name, golden.members[type.name] ?? {}]);
    }
  });

  it('finds first through every chain', () => {
    let ambiguous = 0;
    for (const { name: type } of catalogue.datasetTypes()) {
      for (const collection of catalogue.collections().filter(({ type: kind }) => kind === 'CHAINED')) {
        const expected = golden.first[type]?.[collection.name] ?? [];
        const rows = listed(type, [collection.name]);
        expect(all(type, [collection.name]).map((row) => row.uuid)).toEqual(rows.map((row) => row.uuid));
        const dataIds = rows.map((row) => JSON.stringify(row.values));
        if (typeof expected === 'string') {
          // The real butler refuses where one data ID has several validities: we list them all.
          expect(new Set(dataIds).size).toBeLessThan(dataIds.length);
          ambiguous++;
        } else {
          expect([type, collection.name, positionsOf(rows)]).toEqual([type, collection.name, expected]);
          expect(new Set(dataIds).size).toBe(dataIds.length);
        }
      }
    }
    expect(ambiguous > 0).toBe(name === 'gen3-hsc');
  });

  it('has the validity of every certified dataset', () => {
    for (const [collection, expected] of Object.entries(golden.validity)) {
      const found = catalogue
        .datasetTypes()
        .flatMap((type) => listed(type.name, [collection]))
        .map(({ uuid, validity }) => [position.get(uuid), validity!.begin?.toString() ?? null, validity!.end?.toString() ?? null]);
      const text = (value: number | string | null) => (value === null ? null : String(value));
      expect(found.map(String).sort()).toEqual(expected.map(([index, begin, end]) => String([index, text(begin), text(end)])).sort());
    }
  });

  it('lists the types that a search path holds', () => {
    for (const collection of catalogue.collections()) {
      const expected = Object.keys(golden.members).filter((type) => golden.members[type]![collection.name] !== undefined);
      const found = catalogue.typesOn(catalogue.searchPath([collection.name])).map((type) => type.name);
      expect([collection.name, found]).toEqual([collection.name, expected.sort()]);
    }
  });

  it('answers expressions, and says which terms it has not', () => {
    const answered: string[] = [];
    for (const [type, collections, expression, expected] of golden.where ?? []) {
      try {
        const found = all(type, collections, expression);
        expect([expression, positionsOf(found)]).toEqual([expression, expected]);
        answered.push(expression);
      } catch (error) {
        // Joins over the sky and terms of time are not part of the language.
        if (!(error instanceof ButlerfsError)) throw error;
        const named = new Set(typeOf(type).dimensions.required.concat(typeOf(type).dimensions.implied));
        const beyond = ['visit', 'instrument', 'skymap', 'tract', 'patch'].some((key) => expression.includes(`${key}=`) && !named.has(key));
        expect([expression, error.code]).toEqual([
          expression,
          expression.includes('overlaps') ? 'unsupported' : beyond ? 'unknown-dimension' : 'answered',
        ]);
      }
    }
    expect(answered.length).toBe(golden.where === undefined ? 0 : 9);
  });

  it('gives the repository its physical layout', () => {
    const walk = (path: string): string[] =>
      catalogue.repositoryDirectory(path)!.flatMap((entry) => {
        const child = path === '' ? entry.name : `${path}/${entry.name}`;
        return entry.file === undefined ? walk(child) : [entry.file.location];
      });
    const paths = golden.datasets.map((dataset) => dataset[4]);
    expect(new Set(walk(''))).toEqual(new Set([...paths, 'butler.yaml', 'gen3.sqlite3']));
    expect(catalogue.repositoryDirectory('no/such')).toBeUndefined();
    expect(catalogue.totals()).toEqual({
      files: new Set(paths).size + 2,
      bytes: [...new Map(golden.datasets.map((dataset) => [dataset[4], dataset[6]])).values()].reduce((sum, size) => sum + size, 0),
    });
  });
});
