/** A process that is killed while it updates a catalogue leaves the version before, whole, and the next one goes on from there. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildCatalogue, openCatalogue } from '../registry/open.js';
import { Database } from '../registry/sqlite/driver.js';
import { collection, datasetType, universe } from '../registry/testing/records.js';
import { readerOf } from '../registry/testing/repositories.js';
import { projectDirectory } from '../common/program-file.js';
import { removeDirectory, temporaryDirectory } from './support/temporary.js';

/** Datasets that each version adds. */
const STEP = 400;
const ROUNDS = 7;

let place: string;
let target: string;

beforeEach(() => {
  place = temporaryDirectory('catalogue-kill');
  target = join(place, 'catalogue-1.sqlite3');
  const records = [universe(), collection(1, 'run'), datasetType(1, 'calexp', ['visit', 'detector'])];
  const reader = { ...readerOf(() => records), cursor: () => '0' };
  buildCatalogue({ reader, target, repository: 'test', validator: null, version: 1, updatable: true });
});
afterEach(() => {
  removeDirectory(place);
});

/** Updates without end: the cursor is the number of datasets so far. */
const program = (): string => `
  import { updateCatalogue } from ${JSON.stringify(pathToFileURL(join(projectDirectory(), 'build/registry/open.js')).href)};
  let end;
  const changes = function* (cursor) {
    const first = Number(cursor);
    end = first + ${STEP};
    for (let number = first; number < end; number++) {
      const uuid = number.toString(16).padStart(32, '0');
      const files = [{ component: null, location: 'run/' + number + '.fits', member: null, size: 1, checksum: null, extension: '.fits' }];
      yield { kind: 'dataset', uuid, type: 1, run: 1, ingested: null, files };
      yield { kind: 'membership', uuid, type: 1, collection: 1, dataId: ['HSC', number, 1], validity: null };
    }
  };
  const reader = { format: 'native', changes, cursor: () => String(end), records: () => [], close() {} };
  for (;;) {
    await updateCatalogue({ reader, target: ${JSON.stringify(target)}, repository: 'test', validator: null, version: 2 });
    process.stdout.write('.');
  }
`;

async function updateAndKill(milliseconds: number): Promise<void> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program()], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    // From its first version on: then it is in the middle of another one.
    await new Promise((resolve, reject) => {
      child.stdout.once('data', resolve);
      child.once('exit', () => reject(new Error('the update ended by itself')));
    });
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

it('is what it was before the update that was killed', { timeout: 60_000 }, async () => {
  let former = 1;
  for (let round = 0; round < ROUNDS; round++) {
    await updateAndKill(5 + 23 * round);
    const catalogue = openCatalogue(target)!;
    try {
      const { version, datasets } = catalogue.info;
      expect(version).toBeGreaterThan(former);
      former = version;
      const expected = STEP * (version - 1);
      const type = catalogue.datasetType('calexp')!;
      const found = [...catalogue.query({ type, searchPath: catalogue.searchPath(), constraint: new Map() })].length;
      expect([datasets, found, catalogue.totals().files]).toEqual([expected, expected, expected]);
    } finally {
      catalogue.close();
    }
  }
  const database = new Database(target, { readonly: true });
  expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
  database.close();
});
