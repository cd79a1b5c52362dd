/**
 * The small form in which writers tell a shared catalogue what there is: one JSON object an entry, of which `butlerfs catalogue add` reads one a line.
 *
 *     {"type": "calexp", "dataId": {"instrument": "HSC", "visit": 1228, "detector": 49}, "run": "u/me/run",
 *      "path": "u/me/run/calexp_1228_49.fits", "size": 123, "checksum": "<BLAKE2b-512>"}
 *     {"kind": "dataset-type", "name": "calexp", "dimensions": ["instrument", "visit", "detector"], "storageClass": "ExposureF"}
 *     {"kind": "collection", "name": "u/me/all", "type": "CHAINED", "children": ["u/me/run", "HSC/runs/w_01"]}
 *     {"kind": "dimension", "element": "visit", "fields": {"instrument": "HSC", "id": 1228, "physical_filter": "HSC-I"}}
 *     {"kind": "association", "collection": "calib", "type": "bias", "dataId": {...}, "uuid": "...", "begin": "1700000000000000000", "end": null}
 *
 * A RUN that is not there is made. Without `path` it follows from the template that the type was defined with. Without `uuid` a dataset gets one that follows from RUN, dataset type and data ID, so that the same entry again changes nothing.
 * `begin` and `end` (nanoseconds TAI, as text; null is unbounded) certify; without them the dataset is tagged.
 */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import type { CollectionType, DataIdValue, RepositoryRecord } from '../contract.js';
import { formatTemplate } from '../definitions/pattern.js';
import { TemplateFault } from '../definitions/template.js';
import { extensionOf } from '../readers/gen3/locations.js';
import { parseUniverse } from '../universe.js';
import type { ElementUniverse } from '../universe.js';
import type { SharedCatalogue, SharedStructure, WriteOptions, WriteSummary } from './contract.js';
import { uuidText } from './form.js';

const name = z.string().min(1);
const uuid = z.string().regex(/^[0-9a-fA-F-]{32,36}$/, 'must be a UUID');
const dataId = z.record(z.string(), z.union([z.string(), z.int()]));
const time = z
  .string()
  .regex(/^\d{1,19}$/, 'must be nanoseconds as text')
  .nullable();

const shapes = {
  dataset: z.strictObject({
    kind: z.literal('dataset').default('dataset'),
    type: name,
    dataId,
    run: name,
    path: name.optional(),
    size: z.int().min(0).nullish(),
    checksum: z
      .string()
      .regex(/^[0-9a-f]{128}$/, 'must be BLAKE2b-512 in 128 lower-case hexadecimal digits')
      .nullish(),
    uuid: uuid.optional(),
  }),
  'dataset-type': z.strictObject({
    kind: z.literal('dataset-type'),
    name,
    dimensions: z.array(z.string()),
    storageClass: name,
    isCalibration: z.boolean().default(false),
  }),
  collection: z.strictObject({
    kind: z.literal('collection'),
    name,
    type: z.enum(['RUN', 'TAGGED', 'CHAINED', 'CALIBRATION']),
    doc: z.string().nullish(),
    children: z.array(name).optional(),
  }),
  dimension: z.strictObject({
    kind: z.literal('dimension'),
    element: name,
    fields: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
  }),
  association: z.strictObject({
    kind: z.literal('association'),
    collection: name,
    type: name,
    dataId,
    uuid,
    begin: time.optional(),
    end: time.optional(),
  }),
};
type Shapes = typeof shapes;

/** What a writer writes, as above. */
export type CatalogueEntry = { [Kind in keyof Shapes]: z.input<Shapes[Kind]> }[keyof Shapes];
type EntryOf<Kind extends keyof Shapes> = z.output<Shapes[Kind]>;
type Checked = { [Kind in keyof Shapes]: EntryOf<Kind> }[keyof Shapes];

/**
 * Stores entries in one transaction. Rejects as {@link SharedCatalogue.write}, and with `invalid-value`, `unknown-dataset-type`, `unknown-dimension` or
 * `unknown-collection` for an entry that is not as it must be: the message says which, counted from 1.
 */
export async function writeEntries(
  catalogue: SharedCatalogue,
  entries: Iterable<unknown> | AsyncIterable<unknown>,
  options: WriteOptions = {},
): Promise<WriteSummary> {
  const structure = await catalogue.structure();
  return await catalogue.write(new EntryReader(structure).records(entries), options);
}

class EntryReader {
  readonly #structure: SharedStructure;
  readonly #types: Map<string, Extract<RepositoryRecord, { kind: 'dataset-type' }>>;
  readonly #collections: Map<string, Extract<RepositoryRecord, { kind: 'collection' }>>;
  /** Numbers of what the stream has named so far. */
  readonly #told = new Map<string, number>();
  #parsed: ElementUniverse | undefined;
  #place = 0;

  constructor(structure: SharedStructure) {
    this.#structure = structure;
    this.#types = new Map(structure.types.map((type) => [type.name, type]));
    this.#collections = new Map(structure.collections.map((collection) => [collection.name, collection]));
  }

  async *records(entries: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<RepositoryRecord, void, undefined> {
    for await (const entry of entries) {
      this.#place++;
      yield* this.#record(this.#check(entry));
    }
  }

  #check(entry: unknown): Checked {
    const kind = typeof entry === 'object' && entry !== null && 'kind' in entry ? String(entry.kind) : 'dataset';
    const known = Object.keys(shapes);
    if (!isKind(kind))
      throw this.#wrong(`there is no kind '${kind}'`, didYouMean(nearestNames(kind, known, 1)) ?? `known: ${known.join(', ')}`);
    const parsed = shapes[kind].safeParse(entry);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const place = issue === undefined || issue.path.length === 0 ? '' : `'${issue.path.join('.')}': `;
    throw this.#wrong(`${place}${issue?.message ?? 'it has another form'}`);
  }

  *#record(entry: Checked): Generator<RepositoryRecord, void, undefined> {
    switch (entry.kind) {
      case 'dataset':
        yield* this.#dataset(entry);
        return;
      case 'dataset-type': {
        const { name: own, dimensions, storageClass, isCalibration } = entry;
        const id = this.#number(`type ${own}`);
        const record = {
          kind: 'dataset-type',
          id,
          name: own,
          storageClass,
          dimensions: this.#universe.group(dimensions).required,
          isCalibration,
        } as const;
        this.#types.set(own, record);
        yield record;
        return;
      }
      case 'collection':
        yield* this.#collection(entry);
        return;
      case 'dimension':
        yield entry;
        return;
      case 'association':
        yield* this.#association(entry);
        return;
    }
  }

  *#dataset({
    type: typeName,
    dataId: given,
    run,
    path,
    size,
    checksum,
    uuid: own,
  }: EntryOf<'dataset'>): Generator<RepositoryRecord, void, undefined> {
    const values = this.#values(typeName, given);
    const type = yield* this.#type(typeName);
    const into = yield* this.#named(run, 'RUN');
    const identity = own === undefined ? this.#uuid(run, typeName, values) : uuidText(own);
    const location = this.#location(path ?? this.#templatePath(typeName, values, given, run));
    const extension = extensionOf(location);
    const files = [{ component: null, location, member: null, size: size ?? null, checksum: checksum ?? null, extension }];
    yield { kind: 'dataset', uuid: identity, type, run: into, ingested: nowTai(), files };
    yield { kind: 'membership', uuid: identity, type, collection: into, dataId: values, validity: null };
  }

  *#collection({ name: own, type, doc, children = [] }: EntryOf<'collection'>): Generator<RepositoryRecord, void, undefined> {
    if (type !== 'CHAINED' && children.length > 0) throw this.#wrong(`a ${type} collection has no children`);
    for (const child of children) yield* this.#named(child, undefined);
    const id = this.#number(`collection ${own}`);
    const record = { kind: 'collection', id, name: own, type, doc: doc ?? null } as const;
    this.#collections.set(own, record);
    yield record;
    for (const [position, child] of children.entries()) {
      yield { kind: 'chain', parent: id, position, child: this.#number(`collection ${child}`) };
    }
  }

  *#association({
    collection,
    type: typeName,
    dataId: given,
    uuid: own,
    begin,
    end,
  }: EntryOf<'association'>): Generator<RepositoryRecord, void, undefined> {
    const values = this.#values(typeName, given);
    const type = yield* this.#type(typeName);
    const isCertified = begin !== undefined || end !== undefined;
    const into = yield* this.#named(collection, isCertified ? 'CALIBRATION' : 'TAGGED');
    const bound = (text: string | null | undefined): bigint | null => (text === undefined || text === null ? null : BigInt(text));
    const validity = isCertified ? { begin: bound(begin), end: bound(end) } : null;
    yield { kind: 'membership', uuid: uuidText(own), type, collection: into, dataId: values, validity };
  }

  /** Tells the stream of a dataset type, once. */
  *#type(own: string): Generator<RepositoryRecord, number, undefined> {
    const isTold = this.#told.has(`type ${own}`);
    const id = this.#number(`type ${own}`);
    if (!isTold) yield { ...this.#knownType(own), id };
    return id;
  }

  /** Likewise of a collection. One that is not there is made, where its type is given; a chain keeps its children. */
  *#named(own: string, type: CollectionType | undefined): Generator<RepositoryRecord, number, undefined> {
    const known = this.#collections.get(own);
    if (known === undefined && type === undefined) {
      throw this.#unknown('unknown-collection', `collection '${own}'`, this.#collections.keys(), own);
    }
    if (known !== undefined && type !== undefined && known.type !== type)
      throw this.#wrong(`collection '${own}' is ${known.type}, not ${type}`);
    const isTold = this.#told.has(`collection ${own}`);
    const id = this.#number(`collection ${own}`);
    if (!isTold) {
      const record = { kind: 'collection', id, name: own, type: known?.type ?? type!, doc: known?.doc ?? null } as const;
      this.#collections.set(own, record);
      yield record;
    }
    return id;
  }

  #values(typeName: string, given: Readonly<Record<string, DataIdValue>>): DataIdValue[] {
    const { dimensions } = this.#knownType(typeName);
    const group = this.#universe.group(dimensions);
    const stray = Object.keys(given).find((key) => !group.required.includes(key) && !group.implied.includes(key));
    if (stray !== undefined) throw this.#unknown('unknown-dimension', `dimension '${stray}' of a ${typeName}`, group.required, stray);
    return group.required.map((dimension) => {
      const value = given[dimension];
      if (value === undefined) throw this.#wrong(`the data ID of a ${typeName} has no ${dimension}`);
      const wanted = this.#universe.dimension(dimension)?.type === 'int' ? 'number' : 'string';
      if (typeof value !== wanted) throw this.#wrong(`${dimension} is a ${wanted}`);
      return value;
    });
  }

  #knownType(own: string): Extract<RepositoryRecord, { kind: 'dataset-type' }> {
    return this.#types.get(own) ?? this.#fail(this.#unknown('unknown-dataset-type', `dataset type '${own}'`, this.#types.keys(), own));
  }

  get #universe(): ElementUniverse {
    const { universe } = this.#structure;
    if (universe === null) {
      const advice = 'import a repository into it, or create it with --universe FILE';
      throw new ButlerfsError('not-a-repository', { what: 'the catalogue', why: 'it has no dimension universe yet', advice });
    }
    this.#parsed ??= parseUniverse(universe);
    return this.#parsed;
  }

  #location(path: string): string {
    if (/^(https?|file):\/\//i.test(path) && URL.canParse(path)) return path;
    const components = path.split('/').filter((component) => component !== '' && component !== '.');
    if (path.startsWith('/') || path.includes('://'))
      throw this.#wrong(`path '${path}' is neither relative to the root nor an http, https or file URL`);
    if (components.includes('..') || components.length === 0) throw this.#wrong(`path '${path}' leads out of the root`);
    return components.join('/');
  }

  /** Where the template of the type has a dataset. `values`: of the required dimensions, in their order; `given` may have implied ones, too. */
  #templatePath(typeName: string, values: readonly DataIdValue[], given: Readonly<Record<string, DataIdValue>>, run: string): string {
    const { templates } = this.#structure;
    if (!Object.hasOwn(templates, typeName))
      throw this.#wrong(`it has no 'path', and dataset type '${typeName}' no template that tells it`);
    const { required } = this.#universe.group(this.#knownType(typeName).dimensions);
    const own = required.map((dimension, index) => [dimension, values[index]!] as const);
    try {
      return formatTemplate(templates[typeName]!, { values: new Map([...Object.entries(given), ...own]), run });
    } catch (error) {
      if (error instanceof TemplateFault) throw this.#wrong(error.message, error.advice);
      throw error;
    }
  }

  /** Version 8 of RFC 9562: made of a digest. */
  #uuid(run: string, type: string, values: readonly DataIdValue[]): string {
    const text = JSON.stringify([this.#structure.identity, run, type, ...values]);
    const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
    bytes[6] = (bytes[6]! & 0x0f) | 0x80;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    return bytes.toString('hex');
  }

  #number(key: string): number {
    const known = this.#told.get(key) ?? this.#told.size + 1;
    this.#told.set(key, known);
    return known;
  }

  #unknown(
    code: 'unknown-collection' | 'unknown-dataset-type' | 'unknown-dimension',
    what: string,
    known: Iterable<string>,
    wanted: string,
  ) {
    const advice = didYouMean(nearestNames(wanted, known));
    return new ButlerfsError(code, { what: `entry ${this.#place}: ${what}`, why: 'there is none of that name', advice });
  }

  #wrong(why: string, advice?: string): ButlerfsError {
    return new ButlerfsError('invalid-value', { what: `entry ${this.#place}`, why, advice });
  }

  #fail(error: ButlerfsError): never {
    throw error;
  }
}

function isKind(text: string): text is keyof Shapes {
  return Object.hasOwn(shapes, text);
}

/** Nanoseconds TAI, which is 37 s ahead of UTC since 2017. */
function nowTai(): bigint {
  return (BigInt(Date.now()) + 37_000n) * 1_000_000n;
}
