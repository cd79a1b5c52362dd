/**
 * Reads a stack of Gen2 repositories: what was listed of them, and their registries, become the stream of records of ../../contract.ts.
 *
 * A dataset is a file that a template knows. Rows of registries without a file are datasets without files. Files are read in passes, so that memory grows with
 * the numbers of visits and patches only.
 */

import type { DataIdValue, LocalReader, RepositoryRecord, Validity } from '../../contract.js';
import { parseUniverse } from '../../universe.js';
import { validityOf } from './calibrations.js';
import { calibrationName, Gen2Collections, rootCollection } from './collections.js';
import type { FieldValues, Gen2Reading, Gen2Repository, Template } from './contract.js';
import { DatasetRecords, locationOf, runOf, strayFault } from './dataset-records.js';
import { calibrationRegistry, rawRegistry, RepositoryLayout, type LocatedDataset } from './layout.js';
import { ListingStore, type ListedFile } from './listing-store.js';
import { compileTemplates, type TemplateMatcher } from './matcher.js';
import { Observed, type CoaddBands } from './observed.js';
import { Gen2Registry } from './registries.js';
import { UnmatchedFiles } from './unmatched.js';
import { gen2Universe } from './universe.js';

export interface Gen2ReaderOptions extends Gen2Reading {
  /** The repository in messages: a directory, or a URL without credentials. */
  readonly repository: string;
  /** Told of each record that is left out, and why. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Where reading a repository ends that is not listed to its end. */
const growingCursor = 'growing';

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
  readonly #records: DatasetRecords;
  readonly #warn: (message: string) => void;
  #certifiedRows: readonly CertifiedCalibration[] | undefined;

  constructor(options: Gen2ReaderOptions) {
    this.#options = options;
    this.#warn = options.onWarning ?? (() => {});
    this.#matcher = compileTemplates(options.camera, options.repository);
    this.#layout = new RepositoryLayout(this.#matcher, options.repositories);
    this.#records = new DatasetRecords(options.camera, parseUniverse(gen2Universe));
    this.#store = new ListingStore(options.listingFile, { readonly: true });
  }

  *records(): IterableIterator<RepositoryRecord> {
    const { camera, repositories, growing } = this.#options;
    yield { kind: 'universe', json: gen2Universe };
    const observed = new Observed(camera);
    observed.addCoaddFilters(growing?.coaddFilters ?? []);
    const runs = new Map<string, string>();
    this.#observeRegistries(observed, runs);
    yield* this.#otherFiles(observed, runs);
    observed.finish();
    const bands = observed.bands();
    const collections = new Gen2Collections(repositories, runs);
    yield* collections.records();
    yield* this.#records.types();
    yield* observed.records(bands);
    this.#warnOfStrays(observed);
    yield* this.#datasets(collections, { bands, observed });
    yield* this.#memberships(collections, { bands, observed });
  }

  cursor(): string | null {
    return this.#options.growing === undefined ? null : growingCursor;
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
      runs.set(runOf(dataset), dataset.base);
    }
  }

  /** Files that are no datasets, as the repositories' own; the others are observed. */
  *#otherFiles(observed: Observed, runs: Map<string, string>): IterableIterator<RepositoryRecord> {
    const unmatched = new UnmatchedFiles();
    for (const { directory, name, size } of this.#store.files()) {
      const located = this.#layout.directory(directory);
      const dataset = located === undefined ? undefined : this.#layout.dataset(located, name);
      const location = locationOf(directory, name);
      const fault = dataset === undefined ? undefined : this.#records.patchFault(dataset);
      if (dataset === undefined || fault !== undefined) {
        if (fault === undefined) unmatched.add(location);
        else this.#warn(`${location} is left out: ${fault}`);
        yield { kind: 'file', location, size, checksum: null };
        continue;
      }
      observed.addFile(dataset, this.#records.patch(dataset));
      if (dataset.template.root === 'calibrations') runs.set(runOf(dataset), dataset.base);
    }
    if (this.#options.growing === undefined && unmatched.message !== undefined) this.#warn(unmatched.message);
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
    for (const { dataset, location } of this.#files()) if (!observed.agrees(dataset)) this.#warn(strayFault(location, dataset));
  }

  /** Every dataset that has a file, and its data ID. */
  *#located({ bands, observed }: Known): IterableIterator<LocatedFile> {
    for (const one of this.#files()) {
      const dataId = observed.agrees(one.dataset) ? this.#records.dataId(one.dataset, bands) : undefined;
      if (dataId !== undefined) yield { ...one, dataId };
    }
  }

  *#datasets(collections: Gen2Collections, known: Known): IterableIterator<RepositoryRecord> {
    for (const { dataset, file, location } of this.#located(known))
      yield this.#records.stored(dataset, location, collections.id(runOf(dataset)), file.size);
    for (const { dataset, location } of this.#registeredOnly(known))
      yield this.#records.registered(dataset, location, collections.id(runOf(dataset)));
  }

  *#memberships(collections: Gen2Collections, known: Known): IterableIterator<RepositoryRecord> {
    for (const found of [this.#located(known), this.#registeredOnly(known)]) {
      for (const { dataset, location, dataId } of found)
        yield this.#records.membership(dataset, location, { dataId, collection: collections.id(runOf(dataset)) });
    }
    for (const { dataset, location, validity } of this.#certified) {
      const dataId = this.#records.dataId(dataset, known.bands);
      const collection = collections.id(calibrationName(dataset.base));
      if (dataId !== undefined) yield this.#records.membership(dataset, location, { dataId, collection, validity });
    }
  }

  /** Datasets that a registry knows and whose files were not listed; some may come twice. */
  *#registeredOnly({ bands, observed }: Known): IterableIterator<RegisteredDataset & { readonly dataId: readonly DataIdValue[] }> {
    for (const rows of [this.#rawRows(), this.#certified]) {
      for (const { dataset, location } of rows) {
        const slash = location.lastIndexOf('/');
        if (this.#store.file(location.slice(0, Math.max(0, slash)), location.slice(slash + 1)) !== undefined) continue;
        const dataId = observed.agrees(dataset) ? this.#records.dataId(dataset, bands) : undefined;
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
