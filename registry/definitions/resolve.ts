/** Definitions with their locations looked up, and how two of them clash. */

import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import type { DefinedType, NamedLocation, TypeDefinition } from './contract.js';
import { fileFormats } from './formats.js';
import { commonText } from './overlap.js';
import { parseTemplate, TemplateFault } from './template.js';

/** Locations that every Gen3 repository has. */
export const gen3Locations: readonly NamedLocation[] = [
  { name: 'run', path: '{run}', where: 'every Gen3 repository' },
  { name: 'rerun', path: 'rerun/{rerun}', where: 'every Gen3 repository' },
];

/** An error of one definition. */
export function definitionFault(
  { name, where }: Pick<TypeDefinition, 'name' | 'where'>,
  why: string,
  advice?: string,
  cause?: unknown,
): ButlerfsError {
  return new ButlerfsError('configuration', { what: `${where}, dataset type '${name}'`, why, advice, cause });
}

/**
 * The whole path of a definition. Of several locations with one name the last counts. Throws `configuration` for a location that there is not, a path that is none, and a
 * name whose extension is not that of the format.
 */
export function resolveDefinition(definition: TypeDefinition, locations: readonly NamedLocation[]): DefinedType {
  const { location, template, format, storageClass } = definition;
  const beginning = location === undefined ? undefined : locations.findLast(({ name }) => name === location);
  if (location !== undefined && beginning === undefined) {
    const known = [...new Set(locations.map(({ name }) => name))];
    const others = known.length === 0 ? 'there are none here' : `the locations are ${known.join(', ')}`;
    throw definitionFault(definition, `there is no location '${location}'`, didYouMean(nearestNames(location, known)) ?? others);
  }
  if (template.startsWith('/')) throw absolute(definition);
  const below = beginning === undefined ? template : `${beginning.path.replace(/\/$/, '')}/${template}`;
  const fileFormat = format === undefined ? undefined : fileFormats[format];
  const path = fileFormat === undefined ? below : withExtension(definition, below, fileFormat.extensions);
  try {
    parseTemplate(path);
  } catch (error) {
    throw asDefinitionFault(definition, error);
  }
  return { definition, path, storageClass: storageClass ?? fileFormat?.storageClass ?? 'Unknown' };
}

function absolute(definition: TypeDefinition): ButlerfsError {
  const advice = "write it relative to the repository, as in a/b/c.fits; of Gen3 repositories 'directory' may name another place";
  return definitionFault(definition, `path '${definition.template}' is absolute`, advice);
}

function withExtension(definition: TypeDefinition, path: string, extensions: readonly string[]): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (extensions.some((extension) => name.endsWith(extension))) return path;
  // What follows a field, as in {band}, or stands within one, is no extension.
  const given = /\.[A-Za-z]\w*(?:\.(?:gz|fz))?$/.exec(name)?.[0];
  if (given === undefined) return path + extensions[0]!;
  const advice = `its name ends in ${extensions.join(', ')}, or in none`;
  throw definitionFault(definition, `its format is ${definition.format!}, and its path ends in '${given}'`, advice);
}

/** What is wrong with a template as an error of its definition; other errors as they are. */
export function asDefinitionFault(definition: Pick<TypeDefinition, 'name' | 'where'>, error: unknown): unknown {
  return error instanceof TemplateFault ? definitionFault(definition, error.message, error.advice, error) : error;
}

/** A dataset type with its place, as clashes show it. */
export interface ShownType {
  readonly name: string;
  readonly dimensions: readonly string[];
  /** Undefined where nothing says where its files are. */
  readonly path: string | undefined;
  readonly storageClass: string;
  /** `butlerfs.yaml:3`, `camera HSC`. */
  readonly where: string;
}

/** In words, on one line: `myTable (visit, detector; Unknown) at 'my/{visit:07d}.fits' [butlerfs.yaml:3]`. */
export function describeType({ name, dimensions, path, storageClass, where }: ShownType): string {
  const place = path === undefined ? '' : ` at '${path}'`;
  return `${name} (${dimensions.join(', ')}; ${storageClass})${place} [${where}]`;
}

export function shownDefinition({ definition: { name, dimensions, where }, path, storageClass }: DefinedType): ShownType {
  return { name, dimensions, path, storageClass, where };
}

/** Two types of one name that are not the same. */
export function nameClash(one: ShownType, other: ShownType): ButlerfsError {
  return new ButlerfsError('configuration', {
    what: `dataset type '${other.name}' is defined twice`,
    why: `${describeType(one)} and ${describeType(other)}`,
    advice: 'take another name for one of them, or leave one out',
  });
}

/** A type with the regular expression that its paths match, within one beginning. */
export interface MatchedType {
  readonly shown: ShownType;
  readonly source: string;
}

/** Throws `configuration` where one file can be of both types: it shows both, and such a file. */
export function refuseOverlap(one: MatchedType, other: MatchedType): void {
  const common = commonText(one.source, other.source);
  if (common === undefined) return;
  throw new ButlerfsError('configuration', {
    what: `dataset types '${one.shown.name}' and '${other.shown.name}' have paths in common`,
    why: `'${common}' can be of ${describeType(one.shown)} and of ${describeType(other.shown)}`,
    advice: 'change the template of one of them, so that a path tells of which type a file is',
  });
}
