import { Database } from '../../registry/sqlite/driver.js';
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { python, pythonJson } from '../../test/support/python.js';
import { removeDirectory, temporaryDirectory } from '../../test/support/temporary.js';
import { CHAIN, RERUN, SURVEY_RUN, writeLargeRegistry, writeSmallRepository } from './repository.js';
import type { SmallRepository, WrittenDataset } from './repository.js';

const OPTIONS: SmallRepository = { tracts: [8766, 9813], patches: 4, bands: ['g', 'r'], visits: 3, detectors: 2, pixels: 24 };

let place: string;
let written: WrittenDataset[];

beforeAll(() => {
  place = temporaryDirectory('repository');
  written = writeSmallRepository(join(place, 'small'), OPTIONS);
});
afterAll(() => removeDirectory(place));

/** Asks the real butler: all datasets of a type found through the chain, and what two FITS files say of themselves. */
const ASK = `
import json, sys
from lsst.daf.butler import Butler
butler = Butler.from_config(sys.argv[1])
out = []
for name in sys.argv[3:]:
    for ref in butler.query_datasets(name, collections=sys.argv[2], find_first=True, limit=None):
        out.append([name, dict(ref.dataId.required), ref.run, ref.id.hex, butler.getURI(ref).ospath])
print(json.dumps(out))
`;

const VERIFY = `
import json, sys, warnings
from astropy.io import fits
warnings.simplefilter('error')
out = []
for path in sys.argv[1:]:
    with fits.open(path, memmap=False) as hdus:
        hdus.verify('exception')
        header = hdus['IMAGE'].header
        out.append([{k: header[k] for k in ('TRACT', 'PATCH', 'BAND', 'VISIT', 'DETECTOR') if k in header}, list(hdus['IMAGE'].data.shape), float(hdus['IMAGE'].data.max())])
print(json.dumps(out))
`;

describe('a small repository', () => {
  it('holds every dataset asked for, with the digest and size that its registry records', () => {
    expect(written).toHaveLength(2 * 4 * 2 + 3 * 2 + 1);
    const database = new Database(join(place, 'small', 'gen3.sqlite3'), { readonly: true });
    const recorded = database.prepare('SELECT path, checksum, file_size AS size FROM file_datastore_records').all();
    database.close();
    expect(recorded).toHaveLength(written.length);
    for (const record of recorded as { path: string; checksum: string; size: number }[]) {
      const content = readFileSync(join(place, 'small', record.path));
      expect(content.length).toBe(record.size);
      expect(createHash('blake2b512').update(content).digest('hex')).toBe(record.checksum);
    }
  });

  it('comes out the same again', () => {
    expect(writeSmallRepository(join(place, 'again'), OPTIONS)).toEqual(written);
  });

  it('is opened by the real butler, which finds the rerun first and every file', async () => {
    if (python() === undefined) return;
    const answer = (await pythonJson(ASK, [join(place, 'small'), CHAIN, 'deepCoadd_calexp', 'calexp'])) as [
      string,
      Record<string, unknown>,
      string,
      string,
      string,
    ][];
    const key = (type: string, dataId: Readonly<Record<string, unknown>>): string => JSON.stringify([type, Object.entries(dataId).sort()]);
    const expected = new Map(written.map((dataset) => [key(dataset.type, dataset.dataId), dataset]));
    expect(answer).toHaveLength(expected.size);
    for (const [type, dataId, run, , path] of answer) {
      const dataset = expected.get(key(type, dataId));
      expect(run).toBe(dataset?.run);
      expect(path).toBe(join(place, 'small', dataset!.path));
    }
    expect(answer.filter(([, , run]) => run === RERUN)).toHaveLength(1);
  });

  it('has FITS files that astropy takes without a complaint', async () => {
    if (python() === undefined) return;
    const chosen = ['deepCoadd_calexp', 'calexp'].map((type) => written.find((dataset) => dataset.type === type)!);
    const answer = await pythonJson(
      VERIFY,
      chosen.map(({ path }) => join(place, 'small', path)),
    );
    expect(answer).toEqual([
      [{ TRACT: 8766, PATCH: chosen[0]!.dataId['patch'], BAND: 'g' }, [24, 24], expect.any(Number)],
      [{ VISIT: 1228, DETECTOR: 0, BAND: 'g' }, [24, 24], expect.any(Number)],
    ]);
  });
});

describe('a large registry', () => {
  it('has the datasets and no files, and the real butler counts them', async () => {
    const root = join(place, 'large');
    writeLargeRegistry(root, 2000);
    expect(() => statSync(join(root, SURVEY_RUN))).toThrow();
    if (python() === undefined) return;
    const answer = (await pythonJson(ASK, [root, CHAIN, 'visitSummary'])) as unknown[];
    expect(answer).toHaveLength(2000);
  });
});
