/**
 * A repository with the dataset types that users define beside its registry. The registry's own records come as they are; a file that it knows stays what the registry
 * says.
 */

import { createHash } from 'node:crypto';
import type { DataIdValue, RecordStream, RepositoryReader, RepositoryRecord } from '../contract.js';
import { extensionOf } from '../readers/gen3/locations.js';
import { ListingStore } from '../readers/gen2/listing-store.js';
import { parseUniverse, type ElementUniverse } from '../universe.js';
import { compareDefinitions, fitDefinition, type FittingType } from './check.js';
import type { DefinedListing, DefinedReading } from './contract.js';
import { definitionFault, nameClash, shownDefinition } from './resolve.js';

interface Options {
  /** In messages. */
  readonly repository: string;
  /** Told of each file that is left out, and why. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** RUN of files whose path names none. */
export const definedRun = 'defined';

/** Takes the reader over. {@link RepositoryReader.records} also throws `configuration` for definitions that do not fit, or clash. */
export function withDefinedTypes(reader: RepositoryReader, reading: DefinedReading, options: Options): RepositoryReader {
  return {
    format: reader.format,
    defaultCollections: reader.defaultCollections,
    records: (): RecordStream => new DefinedRecords(reading, options).among(reader.records()),
    // What files there are only listings tell, which are read whole.
    cursor: () => null,
    changes: () => undefined,
    close: () => reader.close(),
  };
}

type RecordOf<Kind extends RepositoryRecord['kind']> = Extract<RepositoryRecord, { readonly kind: Kind }>;

/** In the order of the stream. */
const order = ['universe', 'file', 'collection', 'chain', 'dataset-type', 'dimension', 'dataset', 'membership'] as const;

/** A file of a defined type. */
interface DefinedFile {
  readonly uuid: string;
  readonly type: number;
  readonly run: number;
  readonly location: string;
  readonly size: number | null;
  readonly dataId: readonly DataIdValue[];
}

class DefinedRecords {
  readonly #reading: DefinedReading;
  readonly #options: Options;
  readonly #governors = new Map<string, Set<string>>();
  readonly #collections = new Map<string, RecordOf<'collection'>>();
  readonly #types = new Map<string, RecordOf<'dataset-type'>>();
  /** Keys of the defined types, and of the RUNs of their files. */
  readonly #typeIds = new Map<string, number>();
  readonly #runIds = new Map<string, number>();
  /** Locations of files of defined types that are the registry's own. */
  readonly #taken = new Set<string>();
  #universe: ElementUniverse | undefined;
  #fitting: readonly FittingType[] = [];

  constructor(reading: DefinedReading, options: Options) {
    this.#reading = reading;
    this.#options = options;
  }

  async *among(records: RecordStream): AsyncGenerator<RepositoryRecord, void, undefined> {
    let stage = 0;
    for await (const record of records) {
      for (; stage < order.indexOf(record.kind); stage++) yield* this.#after(order[stage]!);
      this.#see(record);
      yield record;
    }
    for (; stage < order.length; stage++) yield* this.#after(order[stage]!);
  }

  #see(record: RepositoryRecord): void {
    switch (record.kind) {
      case 'universe':
        this.#universe = parseUniverse(record.json, this.#options.repository);
        return;
      case 'collection':
        this.#collections.set(record.name, record);
        return;
      case 'dataset-type':
        this.#types.set(record.name, record);
        return;
      case 'dimension':
        if (this.#universe?.dimension(record.element)?.isGovernor === true) this.#addGovernor(record);
        return;
      case 'dataset':
        for (const { location } of record.files) if (this.#isListed(location)) this.#taken.add(location);
        return;
      case 'file':
      case 'chain':
      case 'membership':
        return;
    }
  }

  #addGovernor({ element, fields }: RecordOf<'dimension'>): void {
    const names = this.#governors.get(element) ?? new Set();
    names.add(String(fields[this.#universe?.element(element)?.keyField ?? 'name']));
    this.#governors.set(element, names);
  }

  /** Whether a location of the registry is one that a definition finds a file at. */
  #isListed(location: string): boolean {
    return this.#reading.listings.some(({ base, directory }) => {
      const below = pathBelow(base, location);
      return (
        below !== undefined && this.#fitting.some(({ type, pattern }) => type.definition.directory === directory && pattern.match(below))
      );
    });
  }

  *#after(kind: (typeof order)[number]): IterableIterator<RepositoryRecord> {
    if (kind === 'universe') this.#fitting = this.#fit();
    if (kind === 'collection') yield* this.#newRuns();
    if (kind === 'dataset-type') yield* this.#newTypes();
    if (kind === 'dataset') {
      for (const { uuid, type, run, location, size } of this.#files()) {
        const files = [{ component: null, location, member: null, size, checksum: null, extension: extensionOf(location) }];
        yield { kind: 'dataset', uuid, type, run, ingested: null, files };
      }
    }
    if (kind === 'membership') {
      for (const { uuid, type, run, dataId } of this.#files()) {
        yield { kind: 'membership', uuid, type, collection: run, dataId, validity: null };
      }
    }
  }

  #fit(): readonly FittingType[] {
    const fitting: FittingType[] = [];
    for (const type of this.#reading.types) {
      try {
        const one = fitDefinition(type, this.#universe!);
        // All are compared, so that none of a name hides another.
        if (!fitting.map((other) => compareDefinitions(other, one)).includes(true)) fitting.push(one);
      } catch (error) {
        if (type.definition.isGeneral !== true) throw error;
        this.#options.onWarning?.(
          `dataset type '${type.definition.name}' does not fit here: ${error instanceof Error ? error.message : ''}`,
        );
      }
    }
    return fitting;
  }

  /** RUNs that the registry has not. */
  *#newRuns(): IterableIterator<RepositoryRecord> {
    let next = 1 + Math.max(0, ...[...this.#collections.values()].map(({ id }) => id));
    for (const name of this.#runNames()) {
      const known = this.#collections.get(name);
      if (known !== undefined && known.type !== 'RUN') {
        this.#options.onWarning?.(
          `files of run '${name}' are left out: the repository has a collection of that name that is ${known.type}`,
        );
        continue;
      }
      const id = known?.id ?? next++;
      this.#runIds.set(name, id);
      if (known === undefined) yield { kind: 'collection', id, name, type: 'RUN', doc: 'files of dataset types that users defined' };
    }
  }

  #runNames(): Set<string> {
    const names = new Set<string>();
    for (const { run } of this.#matches()) names.add(run);
    return names;
  }

  *#newTypes(): IterableIterator<RepositoryRecord> {
    let next = 1 + Math.max(0, ...[...this.#types.values()].map(({ id }) => id));
    for (const { type, group } of this.#fitting) {
      const { name } = type.definition;
      const known = this.#types.get(name);
      if (known !== undefined) checkRegistered(type, group.required, known, this.#options.repository);
      this.#typeIds.set(name, known?.id ?? next);
      if (known !== undefined) continue;
      yield {
        kind: 'dataset-type',
        id: next++,
        name,
        storageClass: type.storageClass,
        dimensions: group.required,
        isCalibration: false,
      };
    }
  }

  /** Every file that a definition finds. */
  *#matches() {
    for (const listing of this.#reading.listings) {
      const fitting = this.#fitting.filter(({ type }) => type.definition.directory === listing.directory);
      const store = new ListingStore(listing.file, { readonly: true });
      try {
        for (const { directory, name, size } of store.files()) {
          const path = directory === '' ? name : `${directory}/${name}`;
          for (const one of fitting) {
            const found = one.pattern.match(path);
            if (found === undefined) continue;
            const run = found.run ?? one.type.definition.collection ?? definedRun;
            yield { ...one, values: found.values, run, size, location: locationBelow(listing, path) };
            break;
          }
        }
      } finally {
        store.close();
      }
    }
  }

  /** Those that become datasets. */
  *#files(): IterableIterator<DefinedFile> {
    const inferred = new Map(this.#fitting.map((one) => [one, this.#inferred(one)]));
    for (const { type, group, pattern, values, run, size, location } of this.#matches()) {
      const id = this.#runIds.get(run);
      if (id === undefined || this.#taken.has(location)) continue;
      const { name, defaults = {} } = type.definition;
      const governors = [...inferred].find(([one]) => one.pattern === pattern)?.[1];
      const dataId = group.required.map((dimension) => values.get(dimension) ?? defaults[dimension] ?? governors!.get(dimension)!);
      yield { uuid: uuidOf(name, location), type: this.#typeIds.get(name)!, run: id, location, size, dataId };
    }
  }

  /** Values of the instrument and the sky map that a path does not give: the only ones there are. Throws `configuration` where there are several, or none. */
  #inferred({ type: { definition }, group, pattern }: FittingType): ReadonlyMap<string, string> {
    const values = new Map<string, string>();
    for (const dimension of group.required) {
      if (pattern.fields.includes(dimension) || definition.defaults?.[dimension] !== undefined) continue;
      values.set(dimension, onlyGovernor(definition, dimension, [...(this.#governors.get(dimension) ?? [])]));
    }
    return values;
  }
}

/** The one name there is. Throws `configuration` where there are several, or none. */
export function onlyGovernor(
  definition: DefinedReading['types'][number]['definition'],
  dimension: string,
  names: readonly string[],
): string {
  const [only] = names;
  if (only !== undefined && names.length === 1) return only;
  const why = names.length === 0 ? `the repository has no ${dimension}` : `the repository has several: ${[...names].sort().join(', ')}`;
  throw definitionFault(
    definition,
    `nothing says which ${dimension} its files are of, and ${why}`,
    `write default: {${dimension}: ...}, or {${dimension}} into its path`,
  );
}

/** Throws `configuration`, showing both, where the registry has another type of the name. */
export function checkRegistered(
  type: DefinedReading['types'][number],
  required: readonly string[],
  registered: { readonly name: string; readonly dimensions: readonly string[]; readonly storageClass: string },
  repository: string,
): void {
  const { storageClass, format } = type.definition;
  const isSame = [...registered.dimensions].sort().join(' ') === [...required].sort().join(' ');
  const isStoredSo = storageClass === undefined || storageClass === registered.storageClass;
  if (isSame && isStoredSo) return;
  const { name, dimensions } = registered;
  const shown = { name, dimensions, path: undefined, storageClass: registered.storageClass, where: `the registry of ${repository}` };
  throw nameClash(shown, {
    ...shownDefinition(type),
    storageClass: storageClass ?? (format === undefined ? 'Unknown' : type.storageClass),
  });
}

function locationBelow({ base }: DefinedListing, path: string): string {
  return base === '' ? path : `${base}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** The path of a location below a base; undefined where it is not there. */
function pathBelow(base: string, location: string): string | undefined {
  if (base === '') return location.includes('://') ? undefined : location;
  if (!location.startsWith(`${base}/`)) return undefined;
  try {
    return decodeURIComponent(location.slice(base.length + 1));
  } catch {
    return undefined;
  }
}

/** The same at every reading: by the type and the place of the file. */
function uuidOf(type: string, location: string): string {
  return createHash('sha256').update(`defined\n${type}\n${location}`).digest('hex').slice(0, 32);
}
