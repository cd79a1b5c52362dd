/** Definitions (registry/definitions/) as templates of a Gen2 repository. */

import { didYouMean, nearestNames } from '../../../common/nearest.js';
import type { DefinedType } from '../../definitions/contract.js';
import { definitionFault, refuseOverlap, type ShownType } from '../../definitions/resolve.js';
import { parseTemplate, plainFieldName, TemplateFault, type FieldPiece } from '../../definitions/template.js';
import type { FieldName, Template, TemplateRoot } from './contract.js';
import { dimensionsOfFields, fieldNames, fieldOf, fieldShape, isFieldName } from './fields.js';
import { calibrationDirectory, parentLink, rerunDirectory } from './layout.js';
import { compileTemplate } from './template.js';

/** The field that stands for the name of a rerun. */
const rerunField = 'rerun';

/** A definition in the form of the camera's own templates. Throws `configuration`, or `TemplateFault`, for what no Gen2 path can be. */
export function templateOfDefinition({ definition, path, storageClass }: DefinedType): Template {
  const { name, dimensions, where, collection, directory, defaults } = definition;
  const foreign = Object.entries({ collection, directory, default: defaults }).find(([, value]) => value !== undefined)?.[0];
  if (foreign !== undefined) {
    throw definitionFault(definition, `it has '${foreign}', which this is a Gen2 repository without`, `leave '${foreign}' out`);
  }
  const { root, below } = rootOf(path);
  const components = parseTemplate(below).map((pieces) =>
    pieces.map((piece) => ('text' in piece ? piece.text : fieldText(piece))).join(''),
  );
  return { type: name, path: components.join('/'), root, dimensions, storageClass, where, written: path };
}

/** Which directory a path begins in, and the rest of it. */
function rootOf(path: string): { readonly root: TemplateRoot; readonly below: string } {
  const [first = '', second = '', ...rest] = path.split('/');
  const below = path.slice(first.length + 1);
  if (first === calibrationDirectory && below !== '') return { root: 'calibrations', below };
  if (first === parentLink)
    throw new TemplateFault(`its path begins in ${parentLink}`, 'write it relative to the repository that holds the files');
  if (first !== rerunDirectory) return { root: 'repository', below: path };
  const [only] = parseTemplate(second === '' ? '-' : second)[0]!;
  if (only !== undefined && 'field' in only && only.field === rerunField && second === only.written && rest.length > 0) {
    return { root: 'rerun', below: rest.join('/') };
  }
  throw new TemplateFault(
    `its path begins in ${rerunDirectory}, and not with ${rerunDirectory}/{${rerunField}}`,
    `reruns are repositories of their own: write ${rerunDirectory}/{${rerunField}}/..., or the path below each repository`,
  );
}

function fieldText({ field: given, width, conversion, written }: FieldPiece): string {
  const field = fieldNamed(given, written);
  const isNumber = fieldShape(field).type === 'int';
  if (isNumber ? conversion === 's' : conversion === 'd' || width > 0) {
    throw new TemplateFault(
      `field '${written}'`,
      `${given} is written as ${isNumber ? `{${given}} or {${given}:05d}` : `{${given}}`} in a Gen2 repository`,
    );
  }
  return `%(${field})${width > 0 ? `0${width}` : ''}${isNumber ? 'd' : 's'}`;
}

function fieldNamed(given: string, written: string): FieldName {
  if (isFieldName(given)) return given;
  const field = fieldOf(plainFieldName(given));
  if (field !== undefined) return field;
  if (given === rerunField || given === 'run') {
    throw new TemplateFault(
      `field '${written}' does not follow ${rerunDirectory}/`,
      `write ${rerunDirectory}/{${rerunField}}/... from the beginning`,
    );
  }
  const known = [...dimensionsOfFields, ...fieldNames];
  throw new TemplateFault(
    `unknown field '${given}'`,
    didYouMean(nearestNames(given, known)) ?? `the fields are ${[...new Set(known)].join(', ')}`,
  );
}

/** A template as clashes show it: by the path that its author wrote. */
export function shownTemplate({ type, dimensions, path, root, storageClass, where, written }: Template): ShownType {
  const beginning = { repository: '', rerun: `${rerunDirectory}/{${rerunField}}/`, calibrations: `${calibrationDirectory}/` }[root];
  return { name: type, dimensions, path: written ?? beginning + path, storageClass, where: where ?? 'the camera' };
}

/** Throws `configuration` where a file can be of both. */
export function refuseSharedPaths(one: Template, other: Template): void {
  const isApart = (one.root === 'calibrations') !== (other.root === 'calibrations');
  if (isApart) return;
  const [first, second] = [compileTemplate(one), compileTemplate(other)];
  // What is told apart by the number of its directories needs no closer look.
  if (first.components.length !== second.components.length) return;
  const sourceOf = ({ components }: typeof first): string => components.map(({ source }) => `(?:${source})`).join('\\/');
  refuseOverlap({ shown: shownTemplate(one), source: sourceOf(first) }, { shown: shownTemplate(other), source: sourceOf(second) });
}
