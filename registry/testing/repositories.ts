/** Catalogues of the shared repositories, and of synthetic ones, for tests. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalogue, CatalogueInfo, LocalReader, RepositoryRecord } from '../contract.js';
import { parseButlerConfiguration } from '../readers/gen3/configuration.js';
import { openGen3 } from '../readers/gen3/reader.js';
import { buildCatalogue } from '../sqlite/build.js';
import { openCatalogue } from '../sqlite/open.js';

/** A directory for one test file; the caller removes it. */
export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'butlerfs-registry-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Opens a repository on this host with the real reader. */
export function openRepository(root: string, onWarning?: (message: string) => void): LocalReader {
  const configuration = parseButlerConfiguration(readFileSync(join(root, 'butler.yaml'), 'utf8'), root);
  return openGen3({ configuration, registryFile: join(root, configuration.registry), repository: root, onWarning });
}

export interface BuiltCatalogue {
  readonly catalogue: Catalogue;
  readonly info: CatalogueInfo;
  readonly file: string;
}

/** Builds and opens the catalogue of a reader, and closes the reader. */
export function catalogueOf(reader: LocalReader, file: string): BuiltCatalogue {
  try {
    const info = buildCatalogue({ reader, target: file, repository: 'test', validator: 'v1', version: 1 });
    const catalogue = openCatalogue(file);
    if (catalogue === undefined) throw new Error(`the catalogue ${file} was built and does not open`);
    return { catalogue, info, file };
  } finally {
    reader.close();
  }
}

/** A reader of records made up on the spot. */
export function readerOf(records: () => Iterable<RepositoryRecord>): LocalReader {
  return {
    format: 'native',
    *records() {
      yield* records();
    },
    cursor: () => null,
    changes: () => undefined,
    close() {},
  };
}

/** A universe with the dimensions of sky maps and instruments, as JSON text. */
export const smallUniverse = JSON.stringify({
  version: 8,
  namespace: 'daf_butler',
  skypix: { common: 'htm7', htm: { class: 'lsst.sphgeom.HtmPixelization', max_level: 24 }, healpix: { max_level: 17 } },
  elements: {
    instrument: { keys: [{ name: 'name', type: 'string' }], governor: true, metadata: [{ name: 'detector_max', type: 'int' }] },
    band: { keys: [{ name: 'name', type: 'string' }], storage: { nested: { view_of: 'physical_filter' } } },
    physical_filter: { keys: [{ name: 'name', type: 'string' }], requires: ['instrument'], implies: ['band'] },
    detector: { keys: [{ name: 'id', type: 'int' }], requires: ['instrument'] },
    day_obs: { keys: [{ name: 'id', type: 'int' }], requires: ['instrument'] },
    visit: {
      keys: [{ name: 'id', type: 'int' }],
      requires: ['instrument'],
      implies: ['physical_filter', 'day_obs'],
      metadata: [{ name: 'exposure_time', type: 'float' }],
    },
    skymap: { keys: [{ name: 'name', type: 'string' }], governor: true, metadata: [{ name: 'patch_nx_max', type: 'int' }] },
    tract: { keys: [{ name: 'id', type: 'int' }], requires: ['skymap'] },
    patch: { keys: [{ name: 'id', type: 'int' }], requires: ['skymap', 'tract'] },
    visit_detector_region: { requires: ['visit', 'detector'] },
  },
});

/** A UUID of a number, as the catalogue writes them. */
export function uuidOf(number: number): string {
  return number.toString(16).padStart(32, '0');
}
