/** What was found of a Gen2 repository beside what its catalogue has: as changes of the catalogue. */

import type { Catalogue, DataIdValue, RepositoryChange, RepositoryReader } from '../../contract.js';
import { parseUniverse } from '../../universe.js';
import { calibrationName } from './collections.js';
import type { FieldValues, Gen2Reading } from './contract.js';
import { DatasetRecords, locationOf, runOf, strayFault, uuidOf } from './dataset-records.js';
import { RepositoryLayout, type LocatedDataset } from './layout.js';
import type { ListedFile } from './listing-store.js';
import { compileTemplates } from './matcher.js';
import { CoaddBands, Observed, type VisitFacts } from './observed.js';
import { dateOfPointing } from './times.js';
import { gen2Universe } from './universe.js';

/** What a search came upon. */
export interface Gen2Found {
  readonly files: readonly ListedFile[];
  /** Directories of which these files are all. */
  readonly directories: readonly string[];
}

export interface AdditionsOptions {
  readonly reading: Gen2Reading;
  readonly found: Gen2Found;
  /** That is to be changed, as it is. */
  readonly catalogue: Catalogue;
  readonly onWarning: (message: string) => void;
}

/** Files after which the thread looks at other things. */
const FILES_AT_A_TIME = 500;

interface Located {
  readonly dataset: LocatedDataset;
  readonly file: ListedFile;
  readonly location: string;
}

/** A reader for {@link import('../../sqlite/update.js').updateCatalogue} alone; it says nothing where the catalogue has all of it. */
export function gen2Additions(options: AdditionsOptions): RepositoryReader {
  let ended: string | null = null;
  return {
    format: 'gen2',
    records: () => [],
    cursor: () => ended,
    changes: (cursor) => {
      ended = cursor;
      return new Additions(options).changes();
    },
    close: () => undefined,
  };
}

class Additions {
  readonly #options: AdditionsOptions;
  readonly #layout: RepositoryLayout;
  readonly #records: DatasetRecords;

  constructor(options: AdditionsOptions) {
    this.#options = options;
    const { camera, repositories } = options.reading;
    this.#layout = new RepositoryLayout(compileTemplates(camera), repositories);
    this.#records = new DatasetRecords(camera, parseUniverse(gen2Universe));
  }

  async *changes(): AsyncIterable<RepositoryChange> {
    const { reading, found, onWarning } = this.#options;
    const { camera, growing } = reading;
    const observed = new Observed(camera);
    const located: Located[] = [];
    for (const file of found.files) {
      const location = locationOf(file.directory, file.name);
      const directory = this.#layout.directory(file.directory);
      const dataset = directory === undefined ? undefined : this.#layout.dataset(directory, file.name);
      const fault = dataset === undefined ? undefined : this.#records.patchFault(dataset);
      if (dataset === undefined || fault !== undefined) {
        if (fault !== undefined) onWarning(`${location} is left out: ${fault}`);
        yield { kind: 'file', location, size: file.size, checksum: null };
      } else {
        this.#recall(observed, dataset);
        observed.addFile(dataset, this.#records.patch(dataset));
        located.push({ dataset, file, location });
      }
      if (located.length % FILES_AT_A_TIME === FILES_AT_A_TIME - 1) await breath();
    }
    observed.finish();
    // Of which band coadds are is settled until all is listed.
    const bands = new CoaddBands(camera, new Set(growing?.coaddFilters), observed.filters);
    const collections = new KnownCollections(this.#options);
    yield* collections.add(located);
    yield* observed.records(bands);
    for (const uuid of this.#gone(located)) yield { kind: 'dataset-gone', uuid };
    let given = 0;
    for (const { dataset, file, location } of located) {
      const dataId = observed.agrees(dataset) ? this.#records.dataId(dataset, bands) : undefined;
      if (dataId === undefined) {
        if (!observed.agrees(dataset)) onWarning(strayFault(location, dataset));
        continue;
      }
      const run = collections.id(runOf(dataset));
      yield this.#records.stored(dataset, location, run, file.size);
      yield this.#records.membership(dataset, location, { dataId, collection: run });
      if (++given % FILES_AT_A_TIME === 0) await breath();
    }
  }

  /** What the catalogue knows of the visit of a dataset comes before what its path says. */
  #recall(observed: Observed, { fields: { visit } }: LocatedDataset): void {
    if (typeof visit !== 'number' || observed.knows(visit)) return;
    const { catalogue, reading } = this.#options;
    const facts = factsOfVisit(catalogue, reading.camera.instrument, visit);
    if (facts !== undefined) observed.addKnown(visit, facts);
  }

  /** Datasets that were in a directory and are no longer. */
  #gone(located: readonly Located[]): string[] {
    const { catalogue, found } = this.#options;
    const here = new Set(located.map(({ location }) => location));
    const gone: string[] = [];
    for (const path of found.directories) {
      const directory = this.#layout.directory(path);
      if (directory === undefined) continue;
      for (const { name, file } of catalogue.repositoryDirectory(path) ?? []) {
        if (file === undefined || here.has(file.location)) continue;
        const dataset = this.#layout.dataset(directory, name);
        if (dataset !== undefined) gone.push(uuidOf(dataset.template.type, file.location));
      }
    }
    return gone;
  }
}

/** The collections that a catalogue has, and those that calibrations of a date that it has not yet are in. */
class KnownCollections {
  readonly #options: AdditionsOptions;
  readonly #ids: Map<string, number>;

  constructor(options: AdditionsOptions) {
    this.#options = options;
    this.#ids = new Map(options.catalogue.collections().map(({ name, id }) => [name, id]));
  }

  id(name: string): number {
    return this.#ids.get(name)!;
  }

  *add(located: readonly Located[]): IterableIterator<RepositoryChange> {
    for (const { dataset } of located) {
      const name = runOf(dataset);
      if (this.#ids.has(name)) continue;
      const id = Math.max(0, ...this.#ids.values()) + 1;
      this.#ids.set(name, id);
      yield { kind: 'collection', id, name, type: 'RUN', doc: `calibrations of ${dataset.base || 'the root repository'}` };
      if (dataset.fields.calibDate === undefined) yield* this.#chained(id, calibrationName(dataset.base));
    }
  }

  /** Calibrations without a date are looked for after those with one, wherever these are. */
  *#chained(child: number, after: string): IterableIterator<RepositoryChange> {
    for (const { id, type, children } of this.#options.catalogue.collections()) {
      if (type === 'CHAINED' && children.includes(after)) yield { kind: 'chain', parent: id, position: children.length, child };
    }
  }
}

/** What a catalogue knows of a visit; undefined for one that it has not. */
export function factsOfVisit(catalogue: Catalogue, instrument: string, visit: number): VisitFacts | undefined {
  const record = catalogue.record('visit', { instrument, visit });
  if (record === undefined) return undefined;
  const pointing = record['pointing'];
  const dateObs = text(record['dateObs']);
  // A date that follows from the pointing was never said, and gives way to one that is.
  const isDerived = typeof pointing === 'number' && dateObs === dateOfPointing(pointing);
  return {
    filter: text(record['physical_filter']) ?? undefined,
    field: text(record['field']),
    pointing: typeof pointing === 'number' ? pointing : null,
    dateObs: isDerived ? null : dateObs,
    taiObs: text(record['taiObs']),
    proposal: text(record['science_program']),
    exposureTime: typeof record['exposure_time'] === 'number' ? record['exposure_time'] : null,
  };
}

/** Keys that the paths of a visit's files have, as far as a catalogue knows them. */
export function fieldsOfVisit(catalogue: Catalogue, instrument: string, visit: number): FieldValues | undefined {
  const facts = factsOfVisit(catalogue, instrument, visit);
  if (facts === undefined) return undefined;
  const { filter, field, pointing, dateObs } = facts;
  return Object.fromEntries(Object.entries({ filter, field, pointing, dateObs }).filter(([, value]) => value != null));
}

function text(value: DataIdValue | null | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function breath(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
