/**
 * Cameras: those that are built in, and what a template file changes of one.
 *
 *     camera: HSC                             # what it starts from; default: by the repository's _mapper
 *     instrument: HSC
 *     skymap: {name: hsc_rings_v1, columns: 9, rows: 9, tracts: 18938}
 *     detectors: {science: 104, focus: 8}     # numbered from 0, in this order; `maximum: 200` is what packed data IDs count with
 *     filters: {HSC-X: x}                     # bands by physical filter
 *     templates:
 *       myTable:
 *         path: deepCoadd-results/merged/%(tract)d/%(patch)s/myTable-%(tract)d-%(patch)s.parq
 *         dimensions: [tract, patch]
 *         storage-class: DataFrame            # default: Unknown
 *         root: calibrations                  # paths begin in CALIB; default: repository
 *         validity: [ccd, filter]             # looked up in the calibration registry by these
 *       calexp: {path: "..."}                 # of a type that is there already what is given is changed
 *       icSrc: null                           # left out
 *     datasetTypes: ...                       # definitions, which change nothing that is there (../../definitions/file.ts)
 *     locations: ...
 */

import { z } from 'zod';
import { ButlerfsError } from '../../../common/errors.js';
import { didYouMean, nearestNames } from '../../../common/nearest.js';
import { namesShape } from '../../names.js';
import type { DefinitionSet, TypeDefinition } from '../../definitions/contract.js';
import { definitionFields, definitionKeys, definitionSet } from '../../definitions/file.js';
import { asDefinitionFault, nameClash, resolveDefinition } from '../../definitions/resolve.js';
import { TemplateFault } from '../../definitions/template.js';
import { parseUniverse } from '../../universe.js';
import { readValidatedYaml } from '../../validated-yaml.js';
import type { FileText, ValidatedFile } from '../../validated-yaml.js';
import { hsc } from './cameras/hsc.js';
import type { Camera, FieldName, Template } from './contract.js';
import { refuseSharedPaths, shownTemplate, templateOfDefinition } from './definitions.js';
import { dimensionsOfFields, fieldOf } from './fields.js';
import { compileTemplates } from './matcher.js';
import { compileTemplate } from './template.js';
import { gen2Universe } from './universe.js';

const templateSchema = z.strictObject({
  path: z.string().min(1).max(4_000).optional(),
  dimensions: z.array(z.string()).optional(),
  'storage-class': z.string().min(1).max(255).optional(),
  root: z.enum(['repository', 'calibrations']).optional(),
  validity: z.array(z.enum(['ccd', 'filter'])).optional(),
});

const count = z.int().min(0).max(1_000_000);
const name = z.string().min(1).max(200);

const fileSchema = z.strictObject({
  camera: z.string().optional(),
  instrument: name.optional(),
  skymap: z
    .strictObject({ name, columns: count.min(1).max(10_000), rows: count.min(1).max(10_000), tracts: z.int().min(1).max(1_000_000_000) })
    .optional(),
  detectors: z.strictObject({ science: count, focus: count.default(0), maximum: count.optional() }).optional(),
  filters: z.record(name, name).optional(),
  templates: z
    .record(z.string().regex(/^[A-Za-z_][\w.-]*$/, 'a dataset type is letters, digits, _, . and -'), templateSchema.nullable())
    .optional(),
  ...namesShape,
  ...definitionKeys,
});

/** The form of a template file. */
export type CameraFile = Readonly<z.input<typeof fileSchema>>;

const cameras: Readonly<Record<string, CameraFile>> = { HSC: hsc };

/** The camera of a mapper (`lsst.obs.hsc.HscMapper`), as {@link readCamera} names it; undefined for one that is not known. */
export function cameraOfMapper(mapper: string): string | undefined {
  return /\b(hsc|subaru)\b|HscMapper/i.test(mapper) ? 'HSC' : undefined;
}

/**
 * The camera that `base` names, with what the files change of it, one after the other. Throws `configuration` with the line for a file that is not understood,
 * for a template that nothing can be found by, and where two types share one path; `unsupported-repository` where there is no camera to begin with. `definitions` are
 * those of the user, beside those of the files.
 */
export function readCamera(
  base: string | undefined,
  files: readonly FileText[],
  repository: string,
  definitions: readonly DefinitionSet[] = [],
): Camera {
  const parsed = files.map((file) => readValidatedYaml(file, fileSchema, knownKeys));
  const wanted = parsed.findLast(({ value }) => value.camera !== undefined)?.value.camera ?? base;
  if (wanted === undefined && !parsed.some(({ value }) => value.templates !== undefined)) {
    throw new ButlerfsError('unsupported-repository', {
      what: `the camera of ${repository}`,
      why: `its _mapper is of none that is known (${Object.keys(cameras).join(', ')})`,
      advice: "say where its files are in a file butlerfs.yaml beside _mapper (docs/gen2.md), or write 'camera: HSC' there",
    });
  }
  const start = wanted === undefined ? {} : cameras[wanted];
  if (start === undefined) {
    throw new ButlerfsError('configuration', {
      what: `camera '${wanted}'`,
      where: parsed.at(-1)?.where,
      advice: didYouMean(nearestNames(wanted!, Object.keys(cameras))) ?? `the cameras are ${Object.keys(cameras).join(', ')}`,
    });
  }
  let camera = apply(emptyCamera, { value: start, where: `camera ${wanted ?? ''}` });
  for (const one of parsed) camera = apply(camera, one);
  const own = parsed.map(({ value: { datasetTypes }, where, lineOf }) =>
    definitionSet({ datasetTypes }, (path) => `${where}:${lineOf(path)}`),
  );
  camera = define(camera, [...own, ...definitions]);
  compileTemplates(camera, parsed.at(-1)?.where ?? repository);
  return camera;
}

const emptyCamera: Camera = {
  instrument: 'unknown',
  detectors: [],
  detectorMaximum: 0,
  skymap: { name: 'unknown', columns: 1, rows: 1, tracts: 1 },
  filters: {},
  templates: {},
  locations: [],
};

function knownKeys([section]: readonly PropertyKey[]): readonly string[] {
  if (section === 'templates') return Object.keys(templateSchema.shape);
  return section === 'datasetTypes' ? definitionFields : Object.keys(fileSchema.shape);
}

type AppliedFile = Pick<ValidatedFile<CameraFile>, 'value' | 'where'> & Partial<Pick<ValidatedFile<CameraFile>, 'lineOf'>>;

function apply(camera: Camera, { value, where, lineOf }: AppliedFile): Camera {
  const { instrument, skymap, detectors, filters, templates = {}, locations = {} } = value;
  const placeOf = (path: readonly string[]): string => (lineOf === undefined ? where : `${where}:${lineOf(path)}`);
  const all: Record<string, Template> = { ...camera.templates };
  for (const [type, given] of Object.entries(templates)) {
    const at = placeOf(['templates', type]);
    const place = `${at}, template '${type}'`;
    if (given === null) {
      if (all[type] === undefined) {
        const advice = didYouMean(nearestNames(type, Object.keys(all)));
        throw new ButlerfsError('configuration', { what: place, why: 'there is none of this name to leave out', advice });
      }
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
      delete all[type];
    } else all[type] = checked({ ...templateOf(type, given, all[type], place), where: at }, place);
  }
  return {
    instrument: instrument ?? camera.instrument,
    skymap: skymap ?? camera.skymap,
    detectors: detectors === undefined ? camera.detectors : detectorsOf(detectors),
    detectorMaximum: detectors === undefined ? camera.detectorMaximum : (detectors.maximum ?? 0),
    filters: { ...camera.filters, ...filters },
    templates: all,
    locations: [
      ...camera.locations,
      ...Object.entries(locations).map(([location, path]) => ({ name: location, path, where: placeOf(['locations', location]) })),
    ],
  };
}

/** Adds what users defined, one after the other, each compared with all that is there. */
function define(camera: Camera, sets: readonly DefinitionSet[]): Camera {
  const locations = [...camera.locations, ...sets.flatMap((set) => set.locations)];
  let defined: Camera = { ...camera, locations };
  for (const definition of sets.flatMap((set) => set.definitions)) {
    const template = definedTemplate(definition, defined);
    if (template === undefined) continue;
    if (checkClash(template, defined, definition.storageClass !== undefined)) continue;
    defined = { ...defined, templates: { ...defined.templates, [template.type]: template } };
  }
  return defined;
}

/** The template of a definition; undefined for one of the user's that does not fit here. Throws `configuration` for any other. */
export function definedTemplate(definition: TypeDefinition, { locations }: Pick<Camera, 'locations'>): Template | undefined {
  try {
    return checked(
      templateOfDefinition(resolveDefinition(definition, locations)),
      `${definition.where}, dataset type '${definition.name}'`,
    );
  } catch (error) {
    const fault = asDefinitionFault(definition, error);
    if (definition.isGeneral === true && fault instanceof ButlerfsError) return undefined;
    throw fault;
  }
}

/** Whether the camera has the same type already. Throws `configuration`, showing both, for another one of its name, and for one that shares files with it. */
export function checkClash(template: Template, { templates }: Pick<Camera, 'templates'>, hasStorageClass = true): boolean {
  const same = Object.hasOwn(templates, template.type) ? templates[template.type]! : undefined;
  if (same !== undefined) {
    const factsOf = ({ path, root, dimensions, storageClass }: Template): string =>
      JSON.stringify([path, root, universe.group(dimensions).required, hasStorageClass ? storageClass : '']);
    if (factsOf(same) === factsOf(template)) return true;
    throw nameClash(shownTemplate(same), shownTemplate(template));
  }
  for (const other of Object.values(templates)) refuseSharedPaths(other, template);
  return false;
}

function templateOf(type: string, given: z.infer<typeof templateSchema>, before: Template | undefined, place: string): Template {
  const path = given.path ?? before?.path;
  const dimensions = given.dimensions ?? before?.dimensions;
  if (path === undefined || dimensions === undefined) {
    const why = `it has no '${path === undefined ? 'path' : 'dimensions'}'`;
    throw new ButlerfsError('configuration', { what: place, why, advice: 'a new type needs both path and dimensions' });
  }
  return {
    type,
    path,
    dimensions,
    storageClass: given['storage-class'] ?? before?.storageClass ?? 'Unknown',
    root: given.root ?? before?.root ?? 'repository',
    validity: given.validity ?? before?.validity,
  };
}

const universe = parseUniverse(gen2Universe);

/** A template whose paths give every dimension of it. */
function checked(template: Template, place: string): Template {
  let fields: readonly FieldName[];
  try {
    ({ fields } = compileTemplate(template));
  } catch (error) {
    if (!(error instanceof TemplateFault)) throw error;
    throw new ButlerfsError('configuration', { what: place, why: error.message, advice: error.advice, cause: error });
  }
  for (const dimension of template.dimensions) {
    if (universe.dimension(dimension) === undefined) {
      const known = ['instrument', 'skymap', ...dimensionsOfFields];
      const advice = didYouMean(nearestNames(dimension, known)) ?? `the dimensions are ${known.join(', ')}`;
      throw new ButlerfsError('configuration', { what: place, why: `unknown dimension '${dimension}'`, advice });
    }
  }
  for (const dimension of universe.group(template.dimensions).required) {
    if (dimension === 'instrument' || dimension === 'skymap') continue;
    const field = fieldOf(dimension);
    if (field !== undefined && fields.includes(field)) continue;
    const why =
      field === undefined ? `no field of a path gives ${dimension}` : `its path has no field %(${field}), which gives ${dimension}`;
    throw new ButlerfsError('configuration', { what: place, why, advice: `the path is '${template.path}'` });
  }
  const own = new Set(universe.group(template.dimensions).required.map(fieldOf));
  const ofVisit = own.has('visit') ? ['filter', 'pointing', 'field', 'dateObs'] : [];
  const free = fields.find(
    (field) => !own.has(field) && !ofVisit.includes(field) && !(field === 'calibDate' && template.root === 'calibrations'),
  );
  if (free !== undefined) {
    throw new ButlerfsError('configuration', {
      what: place,
      why: `no dimension of it comes from the field %(${free}) of its path, so that several files would have one data ID`,
      advice: `the path is '${template.path}'`,
    });
  }
  if (template.validity !== undefined && (template.root !== 'calibrations' || !fields.includes('calibDate'))) {
    throw new ButlerfsError('configuration', {
      what: place,
      why: "it has 'validity', and so needs 'root: calibrations' and the field %(calibDate)s in its path",
    });
  }
  return template;
}

function detectorsOf({ science, focus = 0 }: NonNullable<CameraFile['detectors']>): Camera['detectors'] {
  return Array.from({ length: science + focus }, (_, id) => ({ id, purpose: id < science ? 'SCIENCE' : 'FOCUS' }));
}
