/** The awkward but legal repository: what each of its cases must come out as. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedData } from '../test/shared.js';
import type { Catalogue, DataIdValue, DatasetRecord, StoredFile } from './contract.js';
import { catalogueOf, openRepository, temporaryDirectory } from './testing/repositories.js';

interface EdgeCase {
  readonly datasets: [type: string, dataId: Record<string, DataIdValue>, uuid: string, run: string][];
  readonly records: [component: string | null, path: string, size: number, checked: boolean][];
  readonly uris: (string | Record<string, string>)[];
}
interface EdgeGolden {
  readonly cases: Record<string, EdgeCase>;
  readonly chains: Record<string, string[]>;
  readonly flattened: Record<string, string[]>;
}

const data = sharedData();

describe.runIf(data !== undefined)('gen3-edge', () => {
  const directory = temporaryDirectory();
  const warnings: string[] = [];
  let golden: EdgeGolden;
  let catalogue: Catalogue;

  beforeAll(() => {
    golden = JSON.parse(readFileSync(join(data!, 'gen3-edge.golden.json'), 'utf8')) as EdgeGolden;
    const reader = openRepository(join(data!, 'gen3-edge'), (message) => warnings.push(message));
    ({ catalogue } = catalogueOf(reader, join(directory.path, 'catalogue.sqlite3')));
  });
  afterAll(() => {
    catalogue?.close();
    directory.remove();
  });

  const datasetsOf = (name: string): DatasetRecord[] =>
    golden.cases[name]!.datasets.map(([, , uuid]) => catalogue.datasetByUuid(uuid.replaceAll('-', ''))!);
  /** As the real butler prints URIs of stored files: percent-encoded below the root, absolute ones as they are. */
  const uriOf = ({ location, member }: StoredFile): string => {
    const uri = location.includes('://') ? location : location.split('/').map(encodeURIComponent).join('/');
    return member === null ? uri : `${uri}#zip-path=${member}`;
  };

  it('reads all of it without a complaint', () => {
    expect(warnings).toEqual([]);
    expect(Object.keys(golden.cases)).toHaveLength(17);
  });

  it('has the data IDs, the runs, and the URIs that the real butler gives', () => {
    for (const [name, { datasets, uris }] of Object.entries(golden.cases)) {
      datasets.forEach(([type, dataId, uuid, run], index) => {
        const dataset = catalogue.datasetByUuid(uuid.replaceAll('-', ''));
        const uri = uris[index]!;
        if (uri === 'FileNotFoundError') {
          expect([name, dataset]).toEqual([name, undefined]);
          return;
        }
        const { required, implied } = dataset!.type.dimensions;
        const values = Object.fromEntries([
          ...required.map((key, at) => [key, dataset!.values[at]] as const),
          ...implied.map((key, at) => [key, dataset!.implied[at]] as const),
        ]);
        expect([name, dataset!.type.name, dataset!.run, values]).toEqual([name, type, run, dataId]);
        const found = dataset!.files.map((file) => [file.component, uriOf(file)]);
        expect([name, found]).toEqual([name, typeof uri === 'string' ? [[null, uri]] : Object.entries(uri)]);
      });
    }
  });

  it('has the sizes and tells which checksums are known', () => {
    for (const [name, { records }] of Object.entries(golden.cases)) {
      if (records.length === 0) continue;
      const found = datasetsOf(name).flatMap(({ files }) => files.map((file) => [file.component, file.size, file.checksum !== null]));
      expect([name, found]).toEqual([name, records.map(([component, , size, checked]) => [component, size < 0 ? null : size, checked])]);
    }
  });

  it('keeps several datasets of one file together as one artifact', () => {
    const locations = datasetsOf('several-in-one-file').map(({ files }) => files[0]!.location);
    expect(new Set(locations).size).toBe(1);
    const folder = locations[0]!.slice(0, locations[0]!.lastIndexOf('/'));
    expect(catalogue.repositoryDirectory(folder)).toHaveLength(1);
  });

  it('lists a zip archive as one file of unknown size, and its members with theirs', () => {
    const [{ files }] = datasetsOf('inside-a-zip') as [DatasetRecord];
    expect(catalogue.repositoryFile(files[0]!.location)).toMatchObject({ size: null, checksum: null });
    expect(files[0]).toMatchObject({ size: 10, member: 'f9f9a789-metrics_HSC_1_53_edge_zipped.yaml', extension: '.yaml' });
  });

  it('does not list absolute locations in the layout', () => {
    expect(catalogue.repositoryDirectory('')!.map(({ name }) => name)).toEqual(['butler.yaml', 'edge', 'gen3.sqlite3', 'u', 'zips']);
  });

  it('knows of a registered dataset that nothing of it is stored', () => {
    const query = (detector: number) => ({
      type: catalogue.datasetType('frame')!,
      searchPath: catalogue.searchPath(['edge/states']),
      constraint: new Map<string, DataIdValue>([['detector', detector]]),
    });
    expect(catalogue.isRegisteredOnly(query(0))).toBe(true);
    expect(catalogue.isRegisteredOnly(query(1))).toBe(false);
    expect(catalogue.isRegisteredOnly(query(99))).toBe(false);
    expect([...catalogue.query(query(0))]).toEqual([]);
    expect(catalogue.info.unstored).toBe(1);
  });

  it('still reads a dataset that is trashed and not emptied', () => {
    expect(datasetsOf('trashed-not-emptied')[0]!.files[0]!.location).toBe('edge/states/frame/frame_HSC_1_54_edge_states.fits');
  });

  it('has both validities of a dataset that is certified twice', () => {
    const rows = [
      ...catalogue.query({ type: catalogue.datasetType('bias')!, searchPath: catalogue.searchPath(['edge/calib']), constraint: new Map() }),
    ];
    const day = (text: string): bigint => BigInt(Date.parse(text)) * 1_000_000n;
    expect(rows.map(({ validity }) => validity)).toEqual([
      { begin: day('2013-01-01'), end: day('2013-02-01') },
      { begin: day('2013-06-01'), end: day('2013-07-01') },
    ]);
    expect(rows.map(({ run }) => run)).toEqual(['edge/biasRun', 'edge/biasRun']);
  });

  it('orders and flattens chains, negative positions first', () => {
    for (const [chain, children] of Object.entries(golden.chains)) {
      expect(catalogue.collections().find(({ name }) => name === chain)!.children).toEqual(children);
      expect(catalogue.searchPath([chain]).collections.map(({ name }) => name)).toEqual(golden.flattened[chain]);
    }
  });

  it('answers nothing for a type without datasets and for empty collections', () => {
    const type = catalogue.datasetType('neverUsed')!;
    const query = { type, searchPath: catalogue.searchPath(), constraint: new Map(), keys: type.dimensions.required, rowLimit: 10 };
    expect(catalogue.directory(query)).toEqual({ kind: 'rows', rows: [] });
    expect(catalogue.typesOn(catalogue.searchPath(['edge/empty', 'edge/tagged-empty', 'edge/chain-empty']))).toEqual([]);
  });

  it('finds a dataset without dimensions', () => {
    const type = catalogue.datasetType('packages')!;
    const answer = catalogue.directory({
      type,
      searchPath: catalogue.searchPath(['edge/outer']),
      constraint: new Map(),
      keys: [],
      rowLimit: 10,
    });
    expect(answer).toMatchObject({
      kind: 'rows',
      rows: [{ values: [], files: [{ location: 'edge/plain/packages/packages_edge_plain.yaml' }] }],
    });
  });
});
