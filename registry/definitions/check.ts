/** Definitions of a Gen3 repository, checked against its dimensions and against each other. */

import { didYouMean, nearestNames } from '../../common/nearest.js';
import type { DimensionGroup, DimensionUniverse } from '../contract.js';
import type { DefinedType } from './contract.js';
import { compilePattern, dimensionOf, runFields, type PathPattern } from './pattern.js';
import { asDefinitionFault, definitionFault, nameClash, refuseOverlap, shownDefinition } from './resolve.js';
import { parseTemplate, TemplateFault, type FieldPiece } from './template.js';

/** A definition that fits its repository. */
export interface FittingType {
  readonly type: DefinedType;
  readonly group: DimensionGroup;
  readonly pattern: PathPattern;
}

/**
 * Throws `configuration` for a dimension or a field that the universe has not, for one that the path does not give, and for a field that no dimension comes from: then
 * several files would have one data ID.
 */
export function fitDefinition(type: DefinedType, universe: DimensionUniverse): FittingType {
  const { definition, path } = type;
  const { dimensions, defaults = {}, collection } = definition;
  const unknown = dimensions.find((name) => universe.dimension(name) === undefined);
  if (unknown !== undefined) {
    const advice = didYouMean(nearestNames(unknown, universe.names)) ?? `the dimensions are ${universe.names.join(', ')}`;
    throw definitionFault(definition, `unknown dimension '${unknown}'`, advice);
  }
  const group = universe.group(dimensions);
  try {
    for (const piece of parseTemplate(path).flat()) if ('field' in piece) checkField(piece, universe);
  } catch (error) {
    throw asDefinitionFault(definition, error);
  }
  const pattern = compilePattern(type, universe);
  const places = `the path is '${path}'`;
  const free = pattern.fields.find(
    (field) => !runFields.includes(field) && !group.required.includes(field) && !group.implied.includes(field),
  );
  if (free !== undefined) {
    throw definitionFault(
      definition,
      `no dimension of it comes from the field {${free}} of its path, so that several files would have one data ID`,
      places,
    );
  }
  if (collection !== undefined && pattern.fields.some((field) => runFields.includes(field))) {
    throw definitionFault(definition, "its path names the RUN, and so does 'collection'", "leave 'collection' out");
  }
  for (const dimension of group.required) {
    if (pattern.fields.includes(dimension) || defaults[dimension] !== undefined || universe.dimension(dimension)!.isGovernor) continue;
    throw definitionFault(definition, `its path has no field {${dimension}}, which is a required dimension of it`, places);
  }
  checkDefaults(type, group, universe, pattern);
  return { type, group, pattern };
}

function checkField({ field, width, conversion, written }: FieldPiece, universe: DimensionUniverse): void {
  if (runFields.includes(field)) {
    if (width > 0 || conversion === 'd') throw new TemplateFault(`field '${written}'`, `${field} is a text: write {${field}}`);
    return;
  }
  const dimension = universe.dimension(dimensionOf(field));
  if (dimension === undefined) {
    const known = [...universe.names, ...runFields];
    throw new TemplateFault(`unknown field '${field}'`, didYouMean(nearestNames(field, known)) ?? `the fields are ${known.join(', ')}`);
  }
  const isNumber = dimension.type === 'int';
  if (isNumber ? conversion === 's' : conversion === 'd' || width > 0) {
    throw new TemplateFault(`field '${written}'`, `${field} is written as ${isNumber ? `{${field}} or {${field}:05d}` : `{${field}}`}`);
  }
}

function checkDefaults({ definition }: DefinedType, group: DimensionGroup, universe: DimensionUniverse, pattern: PathPattern): void {
  for (const [key, value] of Object.entries(definition.defaults ?? {})) {
    if (!group.required.includes(key)) {
      const advice = didYouMean(nearestNames(key, group.required)) ?? `the required dimensions are ${group.required.join(', ')}`;
      throw definitionFault(definition, `'default' gives '${key}', which is no required dimension of it`, advice);
    }
    if (pattern.fields.includes(key))
      throw definitionFault(definition, `'default' gives '${key}', and so does its path`, 'leave one of them out');
    const isNumber = universe.dimension(key)?.type === 'int';
    if ((typeof value === 'number') !== isNumber)
      throw definitionFault(definition, `'default' of '${key}' is no ${isNumber ? 'number' : 'text'}`);
  }
}

/** Whether both are the same. Throws `configuration`, showing both, where they have one name and are not, and where they share files. */
export function compareDefinitions(one: FittingType, other: FittingType): boolean {
  const [first, second] = [shownDefinition(one.type), shownDefinition(other.type)];
  if (first.name === second.name) {
    if (factsOf(one) === factsOf(other)) return true;
    throw nameClash(first, second);
  }
  if (one.type.definition.directory === other.type.definition.directory) {
    refuseOverlap({ shown: first, source: one.pattern.source }, { shown: second, source: other.pattern.source });
  }
  return false;
}

function factsOf({ type: { definition, path, storageClass }, group: { required } }: FittingType): string {
  const { collection, directory, defaults = {} } = definition;
  return JSON.stringify([path, storageClass, required, collection, directory, Object.entries(defaults).sort()]);
}
