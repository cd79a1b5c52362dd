/**
 * Definitions in a file:
 *
 *     locations:
 *       mine: rerun/{rerun}/my                  # a beginning of paths; those of the camera have names, too
 *     datasetTypes:
 *       myTable:
 *         dimensions: [visit, detector]
 *         location: mine                        # template and name go on below it
 *         template: '{visit:07d}-{detector:03d}.fits'
 *         name: ...                             # in place of template: the name of the file alone; its extension may be left to the format
 *         format: fits
 *         storageClass: SourceCatalog           # default: that of the format
 *         collection: u/me/mine                 # Gen3: RUN of the datasets; default: what {run} or {rerun} of the path says, else `defined`
 *         directory: /data/mine                 # Gen3: where paths begin; default: the repository
 *         default: {instrument: HSC}            # Gen3: what paths do not say; default: the only instrument or sky map that there is
 */

import { z } from 'zod';
import { ButlerfsError } from '../../common/errors.js';
import type { DefinitionSet, TypeDefinition } from './contract.js';
import { fileFormats } from './formats.js';
import { readValidatedYaml } from '../validated-yaml.js';
import type { FileText } from '../validated-yaml.js';

/** Where the keys of this module stand in a file. */
export const typesKey = 'datasetTypes';
export const locationsKey = 'locations';

const shortText = z.string().min(1).max(255);
const path = z.string().min(1).max(4_000);
const formats = Object.keys(fileFormats) as [string, ...string[]];

export const definitionSchema = z.strictObject({
  dimensions: z.array(shortText).max(30),
  template: path.optional(),
  name: path.optional(),
  location: shortText.optional(),
  format: z.enum(formats, `must be one of ${formats.join(', ')}`).optional(),
  storageClass: shortText.optional(),
  collection: shortText.optional(),
  directory: path.optional(),
  default: z.record(shortText, z.union([shortText, z.int()])).optional(),
});

/** A definition as it stands in a file. */
export type WrittenDefinition = Readonly<z.input<typeof definitionSchema>>;

const typeName = z
  .string()
  .max(200)
  .regex(/^[A-Za-z_][\w-]*$/, 'a dataset type is letters, digits, _ and -');
const locationName = z
  .string()
  .max(200)
  .regex(/^[A-Za-z_][\w.-]*$/, 'a location is letters, digits, _, . and -');

/** Keys of a file that holds definitions, for the schema of the whole. */
export const definitionKeys = {
  [typesKey]: z.record(typeName, definitionSchema).optional(),
  [locationsKey]: z.record(locationName, path).optional(),
} as const;

/** Aliases and flavors of the same file are for others to read. */
const fileSchema = z.strictObject({ ...definitionKeys, aliases: z.unknown().optional(), flavors: z.unknown().optional() });

/** What those keys hold. */
export type WrittenDefinitions = Pick<z.output<typeof fileSchema>, typeof typesKey | typeof locationsKey>;

/** The keys that may stand at a place below {@link typesKey}. */
export const definitionFields: readonly string[] = Object.keys(definitionSchema.shape);

/** A file with definitions alone. Throws `configuration` as {@link readValidatedYaml}. */
export function readDefinitionFile(file: FileText): DefinitionSet {
  const { value, where, lineOf } = readValidatedYaml(file, fileSchema, (at) =>
    at.length === 0 ? Object.keys(fileSchema.shape) : definitionFields,
  );
  return definitionSet(value, (at) => `${where}:${lineOf(at)}`);
}

/** `placeOf` names where a path of keys stands. Throws `configuration` for a definition without a path, or with two. */
export function definitionSet(
  { datasetTypes = {}, locations = {} }: WrittenDefinitions,
  placeOf: (path: readonly string[]) => string,
): DefinitionSet {
  return {
    definitions: Object.entries(datasetTypes).map(([name, written]) => typeDefinition(name, written, placeOf([typesKey, name]))),
    locations: Object.entries(locations).map(([name, text]) => ({ name, path: text, where: placeOf([locationsKey, name]) })),
  };
}

/** One definition. Throws `configuration` likewise, and for what is not of the schema. */
export function typeDefinition(name: string, written: WrittenDefinition, where: string): TypeDefinition {
  const parsed = z.strictObject({ [typesKey]: z.record(typeName, definitionSchema) }).safeParse({ [typesKey]: { [name]: written } });
  const fault = (why: string, advice?: string): ButlerfsError =>
    new ButlerfsError('configuration', { what: `${where}, dataset type '${name}'`, why, advice });
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const at = issue.path.slice(2).join('.');
    const why = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    throw fault(at === '' ? why : `'${at}': ${why}`);
  }
  const { template, name: fileName, location, default: defaults, ...others } = parsed.data[typesKey][name]!;
  if (template !== undefined && fileName !== undefined) throw fault("it has both 'template' and 'name'", 'leave one of them out');
  const given = template ?? fileName;
  if (given === undefined) throw fault("it has no 'template'", "write template: 'a/b/{visit:07d}.fits'");
  if (fileName !== undefined && (location === undefined || fileName.includes('/'))) {
    throw fault(
      location === undefined ? "it has a 'name' and no 'location' that it is below" : `its name '${fileName}' holds a slash`,
      "write 'template' in place of 'name'",
    );
  }
  return { name, ...others, template: given, location, defaults, where };
}
