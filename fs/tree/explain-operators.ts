/** Explanations of what stands below `@dimensions`, `@missing` and `@calibs`. */

import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import type { Catalogue, Constraint, DataIdValue, DimensionName } from '../../registry/contract.js';
import { parseKeyValue } from '../../registry/keys.js';
import { encodeValue } from '../../registry/values.js';
import { calibrationType, validCalibration } from './calibrations.js';
import { type DataIdLevels, dimensionLevels, DIMENSIONS, hasDataIds, levelNames, missingLevels } from './data-id-levels.js';
import { collectionsText, dataIdText, done, type Explanation, nearestValues, SAMPLE } from './explain-text.js';
import { fileNames, shortNames } from './file-names.js';
import { remainingKeys, type View, withDefaults } from './view.js';

/** `components` are those after the operator. Throws what makes the path not resolve. */
export function explainLevels(
  catalogue: Catalogue,
  view: View,
  operator: string,
  components: readonly string[],
  lines: string[],
): Explanation {
  const [name, ...keys] = components;
  const isDimensions = operator === DIMENSIONS;
  if (name === undefined) {
    const what = isDimensions ? 'dimensions that have records' : 'dataset types whose data IDs dimension records define';
    return done(lines, 'directory', `${what}: ${levelNames(catalogue, view, operator).join(', ')}`);
  }
  const levels = isDimensions ? dimensionLevels(catalogue, view, name) : missingLevels(catalogue, view, name);
  const { owner } = levels;
  lines.push(isDimensions ? `dimension records of: ${name}` : `missing of dataset type: ${name}`);
  lines.push(`required keys: ${owner.dimensions.required.join(', ') || '(none)'}`);
  const given = new Map<DimensionName, DataIdValue>();
  for (const [index, component] of keys.entries()) {
    const constraint = withDefaults(view, owner, given);
    const rest = remainingKeys(view, owner, constraint);
    if (component === levels.leafName && rest.length === 0 && index === keys.length - 1 && hasDataIds(catalogue, view, levels, given)) {
      lines.push(`data ID: ${dataIdText(constraint) || '(none)'}`);
      return done(lines, 'file', isDimensions ? 'the dimension record, as JSON' : 'says why the data ID is missing');
    }
    const equals = component.indexOf('=');
    if (equals <= 0) throw notAKey(component, rest[0], levels);
    const text = component.slice(equals + 1);
    const { dimension, value } = parseKeyValue(catalogue, owner, component.slice(0, equals), text, constraint, view);
    if (given.has(dimension)) throw new ButlerfsError('unknown-value', { what: `'${component}'`, why: `${dimension} is given already` });
    const next = new Map([...given, [dimension, value]]);
    if (!hasDataIds(catalogue, view, levels, next)) throw noSuchDataId(catalogue, view, levels, given, dimension, value, isDimensions);
    given.set(dimension, value);
  }
  const constraint = withDefaults(view, owner, given);
  lines.push(`data ID: ${dataIdText(constraint) || '(none)'}`);
  const [next] = remainingKeys(view, owner, constraint);
  if (next !== undefined) return done(lines, 'directory', `a directory; its entries give ${next}`);
  return done(lines, 'directory', isDimensions ? 'a data ID that a dimension record defines' : 'a data ID that is missing');
}

function notAKey(component: string, next: string | undefined, { leafName }: DataIdLevels): ButlerfsError {
  return new ButlerfsError('unknown-path', {
    what: `'${component}'`,
    why: next === undefined ? `the only name here is ${leafName}` : `a component here is KEY=VALUE; the next key is ${next}`,
  });
}

/** Says whether there is no such data ID, or whether it has its dataset. */
function noSuchDataId(
  catalogue: Catalogue,
  view: View,
  levels: DataIdLevels,
  given: Constraint,
  dimension: DimensionName,
  value: DataIdValue,
  isDimensions: boolean,
): ButlerfsError {
  const { owner, question } = levels;
  const what = `${dimension}=${encodeValue(value)} of ${owner.name}`;
  const { lacking: _, ...defined } = question;
  const all = { ...levels, question: defined };
  if (!isDimensions && hasDataIds(catalogue, view, all, new Map([...given, [dimension, value]])))
    return new ButlerfsError('unknown-value', { what, why: 'nothing is missing: every data ID with it has its dataset' });
  const keys = [dimension];
  const constraint = withDefaults(view, owner, given);
  const values = [...catalogue.dataIds({ ...(isDimensions ? question : defined), constraint, keys })].map(([one]) => one!);
  const why = constraint.size === 0 ? 'no dimension record defines it' : `no dimension record defines it with ${dataIdText(constraint)}`;
  return new ButlerfsError('unknown-value', { what, why, advice: nearestValues(dimension, value, values) });
}

/** Below a data ID with an exposure or a visit; `components` are those after `@calibs`. */
export function explainCalibrations(
  catalogue: Catalogue,
  view: View,
  dataId: Constraint,
  components: readonly string[],
  lines: string[],
): Explanation {
  const [typeName, fileName, beyond] = components;
  lines.push(`data ID: ${dataIdText(dataId)}`);
  if (typeName === undefined) {
    for (const type of catalogue.datasetTypes().filter(({ isCalibration }) => isCalibration)) {
      lines.push(`${type.name}: ${safely(() => `found in '${validCalibration(catalogue, view, dataId, type).collection.name}'`)}`);
    }
    return done(lines, 'directory', 'the calibrations that are valid for it');
  }
  const type = calibrationType(catalogue, typeName);
  lines.push(`searched for ${type.name}: ${collectionsText(view.of(type).searchPath.collections.map(({ name }) => name))}`);
  const row = validCalibration(catalogue, view, dataId, type);
  lines.push(`dataset: ${row.uuid}, found in '${row.collection.name}'`);
  if (fileName === undefined) return done(lines, 'directory', `the ${type.name} that is valid for it`);
  const files = fileNames(view, type, null, [row]);
  if (beyond === undefined && files.some((file) => file.name === fileName || shortNames(view, type, file).includes(fileName)))
    return done(lines, 'file', 'a dataset file');
  const advice = `there is ${files
    .slice(0, SAMPLE)
    .map(({ name }) => `'${name}'`)
    .join(', ')}`;
  throw new ButlerfsError('unknown-path', { what: `'${components.slice(1).join('/')}'`, why: 'no such file', advice });
}

function safely(text: () => string): string {
  try {
    return text();
  } catch (error) {
    return `none (${asButlerfsError(error).message})`;
  }
}
