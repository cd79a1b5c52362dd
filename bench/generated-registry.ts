/**
 * Gen3 registries of any size without a file behind them, made by SQL: half of the datasets are coadds (tract, patch, band), half belong to visits and detectors.
 *
 * Their UUIDs are random, as daf_butler made them until it went over to version 7: nothing that refers to them is in order.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Database } from '../registry/sqlite/driver.js';
import { INSTRUMENT, SKYMAP, writeInstrument, writeSkyMap } from '../scripts/repository/dimensions.js';
import { butlerYaml, RegistryWriter } from '../scripts/repository/registry.js';
import { tagsTableName } from '../scripts/repository/schema.js';

export const BANDS = ['g', 'r', 'i', 'z', 'y'];
/** Patches of a tract. */
export const PATCHES = 81;
const DETECTORS = 100;
const COADD_TYPES = ['deepCoadd_calexp', 'deepCoadd_meas', 'deepCoadd_forced_src'];
const VISIT_TYPES = ['calexp', 'src'];
const RUN = 'survey/runs/w_01';
const FIRST_TRACT = 8000;
const FIRST_VISIT = 1000;
/** Datasets of one tract, and of one visit. */
const IN_TRACT = COADD_TYPES.length * PATCHES * BANDS.length;
const IN_VISIT = VISIT_TYPES.length * DETECTORS;
/** KiB of pages: the tables of ten million datasets fit, so that random keys cost no reading. */
const PAGE_CACHE = 3_000_000;

export interface GeneratedRegistry {
  readonly file: string;
  /** At least as many as were asked for: tracts and visits are whole. */
  readonly datasets: number;
  readonly tract: number;
  readonly collection: string;
}

/** Writes `butler.yaml` and `gen3.sqlite3` into `root`, which exists. */
export function generateRegistry(root: string, datasets: number): GeneratedRegistry {
  const file = join(root, 'gen3.sqlite3');
  const tracts = Math.ceil(datasets / 2 / IN_TRACT);
  const visits = Math.ceil(datasets / 2 / IN_VISIT);
  writeFileSync(join(root, 'butler.yaml'), butlerYaml());
  const registry = new RegistryWriter(file);
  registry.run(RUN);
  registry.chain('survey/latest', [RUN]);
  const coadds = COADD_TYPES.map((name) => registry.datasetType(name, 'ExposureF', ['band', 'skymap', 'tract', 'patch']));
  const visitTypes = VISIT_TYPES.map((name) => registry.datasetType(name, 'ExposureF', ['instrument', 'detector', 'visit']));
  registry.transaction(() => {
    writeInstrument(registry, BANDS, [...Array(DETECTORS).keys()]);
    writeSkyMap(
      registry,
      [...Array(tracts).keys()].map((index) => FIRST_TRACT + index),
    );
  });
  registry.close();
  const database = new Database(file);
  try {
    for (const pragma of ['journal_mode = off', 'synchronous = off', `cache_size = -${PAGE_CACHE}`, 'foreign_keys = off'])
      database.pragma(pragma);
    database.exec('begin');
    database.exec(`insert into visit (instrument, id, day_obs, physical_filter, name)
      with recursive n(i) as (select 0 union all select i + 1 from n where i < ${visits - 1})
      select '${INSTRUMENT}', ${FIRST_VISIT} + i, 20260101 + i / 800, 'Demo-' || substr('grizy', 1 + i % 5, 1), 'v' || i from n`);
    for (const { id, name, dimensionsKey } of coadds) {
      insertDatasets(
        database,
        { id, name, tags: tagsTableName(dimensionsKey), count: tracts * PATCHES * BANDS.length, columns: 'skymap, tract, patch, band' },
        coaddExpressions,
      );
    }
    for (const { id, name, dimensionsKey } of visitTypes) {
      insertDatasets(
        database,
        { id, name, tags: tagsTableName(dimensionsKey), count: visits * DETECTORS, columns: 'instrument, visit, detector' },
        visitExpressions,
      );
    }
    for (const { id } of [...coadds, ...visitTypes]) database.exec(`insert into collection_summary_dataset_type values (1, ${id})`);
    database.exec(`insert into collection_summary_instrument values (1, '${INSTRUMENT}')`);
    database.exec(`insert into collection_summary_skymap values (1, '${SKYMAP}')`);
    database.exec('create index dataset_fkidx_run_id on dataset (run_id)');
    for (const key of [coadds[0]!, visitTypes[0]!].map(({ dimensionsKey }) => tagsTableName(dimensionsKey)))
      database.exec(`create index ${key}_fkidx_collection_id on ${key} (collection_id)`);
    database.exec('commit');
  } finally {
    database.close();
  }
  return { file, datasets: tracts * IN_TRACT + visits * IN_VISIT, tract: FIRST_TRACT, collection: RUN };
}

/** Adds visits, with that many datasets `calexp` at most. */
export function addDatasets({ file }: GeneratedRegistry, datasets: number): void {
  const database = new Database(file);
  try {
    database.pragma('foreign_keys = off');
    const [id, tags] = database.prepare("select id, tag_association_table from dataset_type where name = 'calexp'").raw().get() as [
      number,
      string,
    ];
    const last = database.prepare(`select max(visit) from ${tags}`).pluck().get() as number;
    const count = Math.floor(datasets / DETECTORS);
    database.exec('begin');
    database.exec(`insert into visit (instrument, id, day_obs, physical_filter, name)
      with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})
      select '${INSTRUMENT}', ${last} + i, 20270101, 'Demo-g', 'v' || (${last} + i) from n`);
    const first = (last + 1 - FIRST_VISIT) * DETECTORS;
    insertDatasets(
      database,
      { id, name: 'calexp', tags, count: count * DETECTORS, columns: 'instrument, visit, detector' },
      visitExpressions,
      first,
    );
    database.exec('commit');
  } finally {
    database.close();
  }
}

interface Expressions {
  /** Values of the dimensions, in the order of the columns, from the number `i`. */
  readonly values: string;
  /** Of the type's directory. */
  path(name: string): string;
}

const band = `substr('grizy', 1 + i % 5, 1)`;
const coaddExpressions: Expressions = {
  values: `'${SKYMAP}', ${FIRST_TRACT} + i / 405, (i / 5) % 81, ${band}`,
  path: (name) => `printf('${RUN}/${name}/%d/%d/%s/${name}_%d_%d_%s_${SKYMAP}_survey_runs_w_01.fits',
    ${FIRST_TRACT} + i / 405, (i / 5) % 81, ${band}, ${FIRST_TRACT} + i / 405, (i / 5) % 81, ${band})`,
};
const visitExpressions: Expressions = {
  values: `'${INSTRUMENT}', ${FIRST_VISIT} + i / ${DETECTORS}, i % ${DETECTORS}`,
  path: (name) => `printf('${RUN}/${name}/%d/${name}_${INSTRUMENT}_%d_%d_survey_runs_w_01.fits',
    20260101 + i / 80000, ${FIRST_VISIT} + i / ${DETECTORS}, i % ${DETECTORS})`,
};

function insertDatasets(
  database: Database,
  {
    id,
    name,
    tags,
    count,
    columns,
  }: { readonly id: number; readonly name: string; readonly tags: string; readonly count: number; readonly columns: string },
  { values, path }: Expressions,
  firstNumber = 0,
): void {
  const first = (database.prepare('select coalesce(max(rowid), 0) from dataset').pluck().get() as number) + 1;
  database.exec(`insert into dataset (rowid, id, dataset_type_id, ingest_date, run_id)
    with recursive n(i) as (select 0 union all select i + 1 from n where i < ${count - 1})
    select ${first} + i, lower(hex(randomblob(16))), ${id}, 1767268837000000000 + i, 1 from n`);
  const numbered = `(select id, rowid - ${first} + ${firstNumber} as i from dataset where rowid >= ${first})`;
  database.exec(
    `insert into ${tags} (dataset_type_id, dataset_id, collection_id, ${columns}) select ${id}, id, 1, ${values} from ${numbered}`,
  );
  database.exec(`insert into file_datastore_records
    select id, ${path(name)}, 'lsst.obs.base.formatters.fitsExposure.FitsExposureFormatter', 'ExposureF', '__NULL_STRING__', lower(hex(randomblob(64))), 1000000 + i
    from ${numbered}`);
}
