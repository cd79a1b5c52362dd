/** Says how a path resolves, or why not: for `@explain` and `butlerfs explain`. */

import type { FilePart } from '../../cache/contract.js';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import { flavorKey, givenFlavor, typeOfFlavor } from '../../registry/coadd-flavors.js';
import type { Catalogue, Constraint, DataIdValue, DatasetType, DimensionName } from '../../registry/contract.js';
import { aliasOf, type ParsedKey, parseKeyValue, resolveKey } from '../../registry/keys.js';
import { TIME_FORMS } from '../../registry/moment.js';
import { decodeValue, encodeValue } from '../../registry/values.js';
import { AT, atRequest } from './at.js';
import { CALIBRATIONS, hasCalibrations } from './calibrations.js';
import { CUTOUTS } from './cutouts.js';
import { DIMENSIONS, MISSING } from './data-id-levels.js';
import { explainCalibrations, explainLevels } from './explain-operators.js';
import { collectionsText, dataIdText, done, type Explanation, nearestValues, SAMPLE, viewLines } from './explain-text.js';
import { type FileBox, partOf } from './dataset-file.js';
import { fileNames, shortNames } from './file-names.js';
import { type Family, findFamily } from './find-family.js';
import { findType } from './find-type.js';
import { cutoutFile, formatBox, parseBox } from '../../sky/fits/cutout.js';
import { namesOf } from '../../sky/fits/find.js';
import { hduFile } from '../../sky/fits/part.js';
import type { FitsIndex } from '../../sky/fits/scan.js';
import { ofCollection, openView, remainingKeys, type View, type ViewRequest, withDefaults } from './view.js';
import { whereRequest } from './where.js';

/** What is known of where content comes from; given where a mount is at hand. */
export interface ExplainOptions {
  /** Display URL of a file at `location`. */
  readonly originOf?: (location: string) => string;
  /** Whether the content of a dataset's file, or of a part of it, is in the cache. */
  readonly isCached?: (uuid: string, component: string | null, part: FilePart | undefined) => boolean;
  /** The HDUs of a dataset's file, where they are known. */
  readonly fitsIndex?: (uuid: string, component: string | null) => FitsIndex | undefined;
}

/**
 * Explains a path below a mount point (components decoded by `/`; a `%2F` counts as `/`). Never throws for a path that does not resolve.
 * `request` is the view at the mount's root, `defaults` are the mount's own.
 */
export function explainPath(
  catalogue: Catalogue,
  request: ViewRequest,
  defaults: Constraint,
  path: string,
  options: ExplainOptions = {},
): Explanation {
  const components = path
    .replace(/^%2F|^\/+|\/+$/gi, '')
    .split('/')
    .filter((component) => component !== '' && component !== '.');
  const lines: string[] = [`path: /${components.join('/')}`];
  try {
    return explainComponents(catalogue, request, defaults, components, options, lines);
  } catch (error) {
    const { code, message } = asButlerfsError(error);
    lines.push(`result: does not resolve (${code})`, `reason: ${message}`);
    return { text: `${lines.join('\n')}\n`, kind: 'nothing' };
  }
}

function explainComponents(
  catalogue: Catalogue,
  request: ViewRequest,
  defaults: Constraint,
  components: readonly string[],
  options: ExplainOptions,
  lines: string[],
): Explanation {
  const [first, second, ...rest] = components;
  if (first === '@collections') {
    if (second === undefined)
      return done(lines, 'directory', `the ${catalogue.collections().length} collections, '/' in their names as %2F`);
    return explainComponents(catalogue, ofCollection(request, decodeValue(second)), defaults, rest, options, lines);
  }
  if (first === '@by') {
    if (second === undefined) return done(lines, 'directory', 'keys, separated by commas, give the order of the levels below');
    const instrument = openView(catalogue, request, defaults).defaults.get('instrument');
    const order = second.split(',').map((key) => resolveKey(catalogue, key, request.aliases, instrument));
    return explainComponents(catalogue, { ...request, order }, defaults, rest, options, lines);
  }
  if (first === '@where') {
    if (second === undefined) return done(lines, 'directory', 'an expression below it restricts the tree to what satisfies it');
    return explainComponents(catalogue, whereRequest(catalogue, request, second), defaults, rest, options, lines);
  }
  if (first === AT) {
    if (second === undefined) return done(lines, 'directory', `a time below it (${TIME_FORMS}) shows the tree as it was then`);
    return explainComponents(catalogue, atRequest(catalogue, request, second), defaults, rest, options, lines);
  }
  if (first === '@repo') return explainRepositoryPath(catalogue, components.slice(1), lines);
  const view = openView(catalogue, request, defaults);
  lines.push(`repository: ${catalogue.info.repository}`, ...viewLines(view));
  if (first === DIMENSIONS || first === MISSING) return explainLevels(catalogue, view, first, components.slice(1), lines);
  if (first === undefined) return done(lines, 'directory', 'the root: dataset types that hold data on the search path');
  const family = findFamily(catalogue, view, first);
  if (family !== undefined) return explainFamily(catalogue, view, family, components.slice(1), options, lines);
  const { type, component } = findType(catalogue, view, first);
  return explainType(catalogue, view, type, component, components.slice(1), options, lines);
}

/** Below a family of coadds; the flavour may come anywhere. */
function explainFamily(
  catalogue: Catalogue,
  view: View,
  family: Family,
  components: readonly string[],
  options: ExplainOptions,
  lines: string[],
): Explanation {
  const { name, component, flavors } = family;
  lines.push(`coadds: ${name}; flavors: ${flavors.map(({ flavor }) => flavor).join(', ')}`);
  const index = components.findIndex((one) => givenFlavor(one) !== undefined);
  if (index >= 0) {
    const type = typeOfFlavor(name, flavors, decodeValue(givenFlavor(components[index]!)!));
    return explainType(catalogue, view, type, component, components.toSpliced(index, 1), options, lines);
  }
  let first: unknown;
  for (const type of flavors.flatMap(({ types }) => types)) {
    try {
      if (components.length > 0) explainType(catalogue, view, type, component, components, options, []);
      return done(lines, 'directory', `a directory; its entries give ${flavorKey}`);
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}

function explainType(
  catalogue: Catalogue,
  view: View,
  type: DatasetType,
  component: string | null,
  components: readonly string[],
  options: ExplainOptions,
  lines: string[],
): Explanation {
  lines.push(`dataset type: ${type.name} (${type.storageClass})${component === null ? '' : `, component ${component}`}`);
  if (Object.hasOwn(view.calibrations ?? {}, type.name)) {
    const chosen = view.of(type).searchPath.collections.map(({ name }) => name);
    lines.push(`searched for ${type.name} in place of these: ${collectionsText(chosen)}`);
  }
  lines.push(
    `required keys: ${type.dimensions.required.join(', ')}${type.dimensions.implied.length === 0 ? '' : `; implied: ${type.dimensions.implied.join(', ')}`}`,
  );
  return explainDataId(catalogue, view, type, component, components, options, lines);
}

function explainRepositoryPath(catalogue: Catalogue, components: readonly string[], lines: string[]): Explanation {
  const below = components.join('/');
  const entries = catalogue.repositoryDirectory(below);
  if (entries !== undefined) return done(lines, 'directory', `the repository's own directory '${below}', ${entries.length} entries`);
  if (catalogue.repositoryFile(below) !== undefined) return done(lines, 'file', `the repository's own file '${below}'`);
  const siblings = catalogue.repositoryDirectory(components.slice(0, -1).join('/')) ?? [];
  throw new ButlerfsError('unknown-path', {
    what: `'${below}'`,
    where: catalogue.info.repository,
    why: 'the repository records no such file',
    advice: didYouMean(
      nearestNames(
        components.at(-1) ?? '',
        siblings.map(({ name }) => name),
      ),
    ),
  });
}

function explainDataId(
  catalogue: Catalogue,
  view: View,
  type: DatasetType,
  component: string | null,
  components: readonly string[],
  options: ExplainOptions,
  lines: string[],
): Explanation {
  const given = new Map<DimensionName, DataIdValue>();
  for (const [index, name] of components.entries()) {
    const constraint = withDefaults(view, type, given);
    if (name === CALIBRATIONS && hasCalibrations(constraint))
      return explainCalibrations(catalogue, view, constraint, components.slice(index + 1), lines);
    const isLeaf = remainingKeys(view, type, constraint).length === 0;
    if (isLeaf && name !== CUTOUTS && (index === components.length - 1 || !name.includes('='))) {
      const answer = explainFile(catalogue, view, type, component, constraint, name, options, lines);
      if (answer !== undefined) return answer;
    }
    if (isLeaf && name === CUTOUTS && component !== null)
      return explainCutout(catalogue, view, type, component, constraint, components.slice(index + 1), options, lines);
    const equals = name.indexOf('=');
    if (equals <= 0) throw notAKey(view, type, constraint, name);
    const { dimension, value } = parse(catalogue, view, type, constraint, name, equals);
    if (given.has(dimension)) throw new ButlerfsError('unknown-value', { what: `'${name}'`, why: `${dimension} is given already` });
    const next = new Map([...given, [dimension, value]]);
    if (isEmpty(catalogue, view, type, withDefaults(view, type, next)))
      throw noSuchValue(catalogue, view, type, constraint, dimension, value);
    given.set(dimension, value);
  }
  const constraint = withDefaults(view, type, given);
  lines.push(`data ID: ${dataIdText(constraint) || '(none)'}`);
  const keys = remainingKeys(view, type, constraint);
  if (keys.length > 0) return done(lines, 'directory', `a directory; its entries give ${keys[0]}`);
  const names = leafFiles(catalogue, view, type, component, constraint).map(({ name }) => name);
  return done(lines, 'directory', `a leaf directory; its files are ${names.map((name) => `'${name}'`).join(', ')}`);
}

/** Reads `key=value`; of a value of the wrong type it says which values exist. */
function parse(catalogue: Catalogue, view: View, type: DatasetType, constraint: Constraint, name: string, equals: number): ParsedKey {
  const key = name.slice(0, equals);
  try {
    return parseKeyValue(catalogue, type, key, name.slice(equals + 1), constraint, view);
  } catch (error) {
    const { code, detail } = asButlerfsError(error);
    const { required, implied } = type.dimensions;
    const alias = aliasOf(catalogue, [...required, ...implied], key, constraint.get('instrument'), view.aliases);
    const dimension = required.includes(key) ? key : (alias?.means ?? key);
    if (code !== 'invalid-value' || !required.includes(dimension)) throw error;
    const values = valuesOf(catalogue, view, type, constraint, dimension).slice(0, SAMPLE);
    const advice = `values here are ${values.map((one) => `${dimension}=${encodeValue(one)}`).join(', ')}`;
    throw new ButlerfsError(code, { ...detail, advice });
  }
}

/** What stands below `@cutout` in a leaf. */
function explainCutout(
  catalogue: Catalogue,
  view: View,
  type: DatasetType,
  component: string,
  constraint: Constraint,
  components: readonly string[],
  options: ExplainOptions,
  lines: string[],
): Explanation {
  const [text, name] = components;
  if (text === undefined) return done(lines, 'directory', 'x0:x1,y0:y1 below it cuts out columns x0 to x1 - 1 and rows y0 to y1 - 1');
  const box = parseBox(text);
  if (name === undefined) return done(lines, 'directory', 'a box: below it stand the files of the leaf, cut to it');
  const answer = explainFile(catalogue, view, type, component, constraint, name, options, lines, box);
  if (answer !== undefined) return answer;
  throw notAKey(view, type, constraint, name);
}

function explainFile(
  catalogue: Catalogue,
  view: View,
  type: DatasetType,
  component: string | null,
  constraint: Constraint,
  name: string,
  { originOf, isCached, fitsIndex }: ExplainOptions,
  lines: string[],
  box?: FileBox,
): Explanation | undefined {
  const files = leafFiles(catalogue, view, type, component, constraint);
  const matching = files.filter((file) => file.name === name || shortNames(view, type, file).includes(name));
  const listed = matching.find((file) => file.name === name) ?? (matching.length === 1 ? matching[0] : undefined);
  if (listed === undefined && matching.length > 1) {
    throw new ButlerfsError('ambiguous', {
      what: `'${name}'`,
      why: `${matching.length} calibrations are valid at different times`,
      advice: `name one of ${matching.map((file) => `'${file.name}'`).join(', ')}`,
    });
  }
  if (listed === undefined) {
    if (name.includes('=')) return undefined;
    throw new ButlerfsError('unknown-path', {
      what: `file '${name}'`,
      why: `the files of ${dataIdText(constraint)} are ${files.map((file) => `'${file.name}'`).join(', ')}`,
    });
  }
  const { row, file } = listed;
  const part = partOf(listed.hdu, box);
  lines.push(`data ID: ${dataIdText(constraint)}`, `dataset: ${row.uuid}`, `found in: ${row.collection.name}`);
  const ofWhole = part === undefined ? '' : ' of the whole file';
  lines.push(
    `size${ofWhole}: ${file.size ?? 'not recorded'}`,
    `checksum${ofWhole}: ${file.checksum === null ? 'not recorded: pinned to its first fetch' : `blake2b512:${file.checksum}`}`,
  );
  lines.push(
    `origin: ${safely(() => originOf?.(file.location) ?? file.location)}${file.member === null ? '' : `, member '${file.member}'`}`,
  );
  if (part !== undefined && part.kind !== 'index') {
    lines.push(
      `part: ${part.kind === 'hdu' ? '' : `box ${formatBox(part.box)} of `}${part.name === null ? 'the only image' : `HDU ${part.name}`}`,
    );
    if (fitsIndex !== undefined) explainPart(part, fitsIndex(row.uuid, file.component), lines);
  }
  if (isCached !== undefined) lines.push(`cached: ${safely(() => (isCached(row.uuid, file.component, part) ? 'yes' : 'no'))}`);
  return done(lines, 'file', part === undefined ? 'a dataset file' : 'a part of a dataset file');
}

/** Throws where it is known that the file has no such part. */
function explainPart(part: FilePart, index: FitsIndex | undefined, lines: string[]): void {
  if (index === undefined) {
    lines.push('HDUs: not known before a part of the file is read');
    return;
  }
  lines.push(
    `HDUs: ${namesOf(index)
      .map((name) => name ?? '(without a name)')
      .join(', ')}`,
  );
  if (part.kind === 'hdu') hduFile(index, part.name);
  if (part.kind === 'cutout') cutoutFile(index, part.name, part.box);
}

function leafFiles(catalogue: Catalogue, view: View, type: DatasetType, component: string | null, constraint: Constraint) {
  const answer = catalogue.directory({ ...view.of(type), constraint, keys: [], rowLimit: Number.MAX_SAFE_INTEGER });
  return answer.kind === 'rows' ? fileNames(view, type, component, answer.rows) : [];
}

function isEmpty(catalogue: Catalogue, view: View, type: DatasetType, constraint: Constraint): boolean {
  const keys = remainingKeys(view, type, constraint);
  const answer = catalogue.directory({ ...view.of(type), constraint, keys, rowLimit: 0 });
  return answer.kind === 'rows' ? answer.rows.length === 0 : answer.values.length === 0;
}

function notAKey(view: View, type: DatasetType, constraint: Constraint, name: string): ButlerfsError {
  const [next] = remainingKeys(view, type, constraint);
  return new ButlerfsError('unknown-dimension', {
    what: `'${name}'`,
    why: next === undefined ? 'no such file' : `a component here is KEY=VALUE; the next key is ${next}`,
    advice: next === undefined ? undefined : `list the directory to see its values`,
  });
}

function noSuchValue(
  catalogue: Catalogue,
  view: View,
  type: DatasetType,
  constraint: Constraint,
  dimension: DimensionName,
  value: DataIdValue,
): ButlerfsError {
  const wanted = new Map([...constraint, [dimension, value]]);
  const what = `${dimension}=${encodeValue(value)} of ${type.name}`;
  if (catalogue.isRegisteredOnly({ ...view.of(type), constraint: wanted })) {
    return new ButlerfsError('unknown-value', { what, why: 'the registry knows such a dataset, but no file of it is stored' });
  }
  const isRequired = type.dimensions.required.includes(dimension);
  if (!isRequired)
    return new ButlerfsError('unknown-value', { what, why: `no dataset with ${dataIdText(constraint)} has it: implied values must agree` });
  const values = valuesOf(catalogue, view, type, constraint, dimension);
  return new ButlerfsError('unknown-value', {
    what,
    why: constraint.size === 0 ? 'no dataset has it' : `no dataset with ${dataIdText(constraint)} has it`,
    advice: nearestValues(dimension, value, values),
  });
}

/** Values of a required dimension that datasets under the constraint have, sorted. */
function valuesOf(
  catalogue: Catalogue,
  view: View,
  type: DatasetType,
  constraint: Constraint,
  dimension: DimensionName,
): readonly DataIdValue[] {
  const others = remainingKeys(view, type, new Map([...constraint, [dimension, 0]]));
  const answer = catalogue.directory({ ...view.of(type), constraint, keys: [dimension, ...others], rowLimit: 0 });
  const column = type.dimensions.required.indexOf(dimension);
  return answer.kind === 'values' ? answer.values : [...new Set(answer.rows.map((row) => row.values[column]!))];
}

function safely(text: () => string): string {
  try {
    return text();
  } catch (error) {
    return `refused (${asButlerfsError(error).message})`;
  }
}
