/**
 * Reads a stack of Gen2 repositories: what was listed of them, and their registries, become the stream of records of ../../contract.ts.
 *
 * A dataset is a file that a template knows. Rows of registries without a file are datasets without files. Files are read in passes, so that memory grows with
 * the numbers of visits and patches only.
 */

import { createHash } from 'node:crypto';
import type { DataIdValue, LocalReader, RepositoryRecord, StoredFile, Validity } from '../../contract.js';
import { extensionOf } from '../gen3/locations.js';
import { parseUniverse } from '../../universe.js';
import { validityOf } from './calibrations.js';
import { calibrationName, calibrationRunName, Gen2Collections, rootCollection, runName } from './collections.js';
import type { FieldValues, Gen2Reading, Gen2Repository, Template } from './contract.js';
import { dimensionValue, sequentialPatch } from './fields.js';
import { calibrationRegistry, rawRegistry, RepositoryLayout, type LocatedDataset } from './layout.js';
import { ListingStore, type ListedFile } from './listing-store.js';
import { compileTemplates, type TemplateMatcher } from './matcher.js';
import { Observed, type CoaddBands } from './observed.js';
import { Gen2Registry } from './registries.js';
import { gen2Universe } from './universe.js';

export interface Gen2ReaderOptions extends Gen2Reading {
  /** The repository in messages: a directory, or a URL without credentials. */
  readonly repository: string;
  /** Told of each record that is left out, and why. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Throws `configuration` for templates that cannot be told apart; {@link LocalReader.records} throws `corrupt-repository` for registries that are none. */
export function openGen2(options: Gen2ReaderOptions): LocalReader {
  return new Gen2Reader(options);
}

/** A dataset that a registry names. */
interface RegisteredDataset {
  readonly dataset: LocatedDataset;
  readonly location: string;
}

/** A dataset with its file. */
interface LocatedFile extends RegisteredDataset {
  readonly file: ListedFile;
  readonly dataId: readonly DataIdValue[];
}

/** What the first pass found out. */
interface Known {
  readonly bands: CoaddBands;
  readonly observed: Observed;
}

interface CertifiedCalibration extends RegisteredDataset {
  readonly validity: Validity;
}

class Gen2Reader implements LocalReader {
  readonly format = 'gen2';
  readonly defaultCollections = [rootCollection];
  readonly #options: Gen2ReaderOptions;
  readonly #matcher: TemplateMatcher;
  readonly #layout: RepositoryLayout;
  readonly #store: ListingStore;
  readonly #universe = parseUniverse(gen2Universe);
  readonly #warn: (message: string) => void;
  /** Required dimensions by type, in the universe's order for data IDs. */
  readonly #required = new Map<string, readonly string[]>();
  readonly #typeIds = new Map<string, number>();
  #certifiedRows: readonly CertifiedCalibration[] | undefined;

  constructor(options: Gen2ReaderOptions) {
    this.#options = options;
    this.#warn = options.onWarning ?? (() => {});
    this.#matcher = compileTemplates(options.camera, options.repository);
    this.#layout = new RepositoryLayout(this.#matcher, options.repositories);
    Object.values(options.camera.templates).forEach(({ type, dimensions }, index) => {
      this.#typeIds.set(type, index + 1);
      this.#required.set(type, this.#universe.group(dimensions).required);
    });
    this.#store = new ListingStore(options.listingFile, { readonly: true });
  }

  *records(): IterableIterator<RepositoryRecord> {
    const { camera, repositories } = this.#options;
    yield { kind: 'universe', json: gen2Universe };
    const observed = new Observed(camera);
    const runs = new Map<string, string>();
    this.#observeRegistries(observed, runs);
    yield* this.#otherFiles(observed, runs);
    observed.finish();
    const bands = observed.bands();
    const collections = new Gen2Collections(repositories, runs);
    yield* collections.records();
    for (const { type, storageClass, validity } of Object.values(camera.templates)) {
      const dimensions = this.#required.get(type)!;
      yield {
        kind: 'dataset-type',
        id: this.#typeIds.get(type)!,
        name: type,
        storageClass,
        dimensions,
        isCalibration: validity !== undefined,
      };
    }
    yield* observed.records(bands);
    this.#warnOfStrays(observed);
    yield* this.#datasets(collections, { bands, observed });
    yield* this.#memberships(collections, { bands, observed });
  }

  cursor(): null {
    return null;
  }

  changes(): undefined {
    return undefined;
  }

  close(): void {
    this.#store.close();
  }

  #observeRegistries(observed: Observed, runs: Map<string, string>): void {
    for (const { path } of this.#options.repositories) {
      this.#withRegistry(path, rawRegistry, (registry) => {
        for (const row of registry.raws(this.#warn)) observed.addVisit(row);
        for (const row of registry.visits(this.#warn)) observed.addVisit(row);
      });
    }
    for (const { dataset } of this.#certified) {
      if (dataset.fields.filter !== undefined) observed.addFilter(String(dataset.fields.filter));
      runs.set(this.#runOf(dataset), dataset.base);
    }
  }

  /** Files that are no datasets, as the repositories' own; the others are observed. */
  *#otherFiles(observed: Observed, runs: Map<string, string>): IterableIterator<RepositoryRecord> {
    for (const { directory, name, size } of this.#store.files()) {
      const located = this.#layout.directory(directory);
      const dataset = located === undefined ? undefined : this.#layout.dataset(located, name);
      const location = locationOf(directory, name);
      const patch = dataset?.fields.patch === undefined ? undefined : sequentialPatch(this.#options.camera.skymap, dataset.fields.patch);
      if (dataset === undefined || (dataset.fields.patch !== undefined && patch === undefined)) {
        if (dataset !== undefined) this.#warn(`${location} is left out: ${this.#patchFault(dataset)}`);
        yield { kind: 'file', location, size, checksum: null };
        continue;
      }
      observed.addFile(dataset, patch);
      if (dataset.template.root === 'calibrations') runs.set(this.#runOf(dataset), dataset.base);
    }
  }

  #patchFault({ fields }: LocatedDataset): string {
    const { name, columns, rows } = this.#options.camera.skymap;
    return `sky map ${name} has ${columns} by ${rows} patches in a tract, and none is ${fields.patch ?? ''}`;
  }

  /** Every file that is a dataset. */
  *#files(): IterableIterator<{ readonly dataset: LocatedDataset; readonly file: ListedFile; readonly location: string }> {
    for (const file of this.#store.files()) {
      const located = this.#layout.directory(file.directory);
      const dataset = located === undefined ? undefined : this.#layout.dataset(located, file.name);
      if (dataset !== undefined) yield { dataset, file, location: locationOf(file.directory, file.name) };
    }
  }

  /** Two files of one visit may claim one data ID: those that say otherwise of the visit than what is known of it Gen2 would not find. */
  #warnOfStrays(observed: Observed): void {
    if (this.#options.onWarning === undefined) return;
    for (const { dataset, location } of this.#files()) {
      if (!observed.agrees(dataset))
        this.#warn(`${location} is left out: visit ${dataset.fields.visit ?? ''} has another filter, pointing, field or date`);
    }
  }

  /** Every dataset that has a file, and its data ID. */
  *#located({ bands, observed }: Known): IterableIterator<LocatedFile> {
    for (const one of this.#files()) {
      const dataId = observed.agrees(one.dataset) ? this.#dataId(one.dataset, bands) : undefined;
      if (dataId !== undefined) yield { ...one, dataId };
    }
  }

  /** Values of what the type requires; undefined where its path gives none, as for a patch that the sky map has not. */
  #dataId({ template, fields }: LocatedDataset, bands: CoaddBands): readonly DataIdValue[] | undefined {
    const values: DataIdValue[] = [];
    for (const dimension of this.#required.get(template.type)!) {
      const value = dimensionValue(dimension, fields, this.#options.camera, (filter) => bands.of(filter));
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values;
  }

  #runOf({ template, fields, repository, base }: LocatedDataset): string {
    if (template.root !== 'calibrations') return runName(repository);
    return calibrationRunName(base, fields.calibDate === undefined ? undefined : String(fields.calibDate));
  }

  *#datasets(collections: Gen2Collections, known: Known): IterableIterator<RepositoryRecord> {
    const record = (dataset: LocatedDataset, location: string, files: readonly StoredFile[]): RepositoryRecord => ({
      kind: 'dataset',
      uuid: uuidOf(dataset.template.type, location),
      type: this.#typeIds.get(dataset.template.type)!,
      run: collections.id(this.#runOf(dataset)),
      ingested: null,
      files,
    });
    for (const { dataset, file, location } of this.#located(known)) {
      const extension = extensionOf(location);
      yield record(dataset, location, [{ component: null, location, member: null, size: file.size, checksum: null, extension }]);
    }
    for (const { dataset, location } of this.#registeredOnly(known)) yield record(dataset, location, []);
  }

  *#memberships(collections: Gen2Collections, known: Known): IterableIterator<RepositoryRecord> {
    const record = (dataset: LocatedDataset, location: string, dataId: readonly DataIdValue[]) => ({
      kind: 'membership' as const,
      uuid: uuidOf(dataset.template.type, location),
      type: this.#typeIds.get(dataset.template.type)!,
      dataId,
    });
    for (const { dataset, location, dataId } of this.#located(known)) {
      yield { ...record(dataset, location, dataId), collection: collections.id(this.#runOf(dataset)), validity: null };
    }
    for (const { dataset, location, dataId } of this.#registeredOnly(known)) {
      yield { ...record(dataset, location, dataId), collection: collections.id(this.#runOf(dataset)), validity: null };
    }
    for (const { dataset, location, validity } of this.#certified) {
      const dataId = this.#dataId(dataset, known.bands);
      if (dataId === undefined) continue;
      yield { ...record(dataset, location, dataId), collection: collections.id(calibrationName(dataset.base)), validity };
    }
  }

  /** Datasets that a registry knows and whose files were not listed; some may come twice. */
  *#registeredOnly({ bands, observed }: Known): IterableIterator<RegisteredDataset & { readonly dataId: readonly DataIdValue[] }> {
    for (const rows of [this.#rawRows(), this.#certified]) {
      for (const { dataset, location } of rows) {
        const slash = location.lastIndexOf('/');
        if (this.#store.file(location.slice(0, Math.max(0, slash)), location.slice(slash + 1)) !== undefined) continue;
        const dataId = observed.agrees(dataset) ? this.#dataId(dataset, bands) : undefined;
        if (dataId !== undefined) yield { dataset, location, dataId };
      }
    }
  }

  /** Raw files that registries know. */
  *#rawRows(): IterableIterator<RegisteredDataset> {
    const template = this.#matcher.template('raw');
    if (template === undefined) return;
    for (const repository of this.#options.repositories) {
      const registry = this.#openRegistry(repository.path, rawRegistry);
      if (registry === undefined) continue;
      try {
        for (const { visit, ccd, filter, field, pointing, dateObs } of registry.raws(() => {})) {
          const fields = given({ visit, ccd, filter, field, pointing, dateObs });
          const one = located(template.template, fields, repository, repository.path, template.format(fields));
          if (one !== undefined) yield one;
        }
      } finally {
        registry.close();
      }
    }
  }

  /** Rows of calibration registries, of each directory once. Some thousands: a calibration holds for months. */
  get #certified(): readonly CertifiedCalibration[] {
    return (this.#certifiedRows ??= this.#readCertified());
  }

  #readCertified(): CertifiedCalibration[] {
    const found: CertifiedCalibration[] = [];
    const owners = new Map<string, Gen2Repository>();
    for (const repository of this.#options.repositories) {
      if (repository.calibrations !== undefined && !owners.has(repository.calibrations)) owners.set(repository.calibrations, repository);
    }
    for (const [directory, repository] of owners) {
      this.#withRegistry(directory, calibrationRegistry, (registry) => {
        for (const template of Object.values(this.#options.camera.templates)) {
          if (template.validity === undefined) continue;
          const compiled = this.#matcher.template(template.type)!;
          for (const row of registry.calibrations(template.type, this.#warn)) {
            const fields = given({
              ccd: row.ccd,
              calibDate: row.calibDate,
              filter: template.validity.includes('filter') ? row.filter : null,
            });
            const one = located(template, fields, repository, directory, compiled.format(fields));
            const validity = validityOf(row);
            if (one !== undefined && validity !== undefined) found.push({ ...one, validity });
            else this.#warn(`${template.type} of ${row.calibDate}, ccd ${row.ccd} is left out: its dates or its filter are not understood`);
          }
        }
      });
    }
    return found;
  }

  /** The registry of that name in a directory, where there is one; the caller closes it. */
  #openRegistry(directory: string, name: string): Gen2Registry | undefined {
    const location = locationOf(directory, name);
    const file = Object.hasOwn(this.#options.registries, location) ? this.#options.registries[location] : undefined;
    return file === undefined ? undefined : new Gen2Registry(file, `${this.#options.repository} (${location})`);
  }

  #withRegistry(directory: string, name: string, read: (registry: Gen2Registry) => void): void {
    const registry = this.#openRegistry(directory, name);
    if (registry === undefined) return;
    try {
      read(registry);
    } finally {
      registry.close();
    }
  }
}

/** A dataset that a registry names; undefined where its values make no path below the repository. */
function located(
  template: Template,
  fields: FieldValues,
  repository: Gen2Repository,
  base: string,
  path: string | undefined,
): RegisteredDataset | undefined {
  if (path === undefined || path.split('/').some((name) => name === '' || name === '.' || name === '..')) return undefined;
  if (path.split('/').length !== template.path.split('/').length) return undefined;
  return { dataset: { template, fields, repository, base }, location: base === '' ? path : `${base}/${path}` };
}

/** Without what is null. */
function given(fields: Readonly<Record<string, DataIdValue | null>>): FieldValues {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

function locationOf(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** The same at every reading: by the type and the place of the file. */
function uuidOf(type: string, location: string): string {
  return createHash('sha256').update(`${type}\n${location}`).digest('hex').slice(0, 32);
}
