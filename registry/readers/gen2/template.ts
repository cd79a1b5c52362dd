/** One path template: `%(pointing)05d/%(filter)s/corr/CORR-%(visit)07d-%(ccd)03d.fits`, in both directions. */

import type { DataIdValue } from '../../contract.js';
import type { FieldName, FieldValues, Template } from './contract.js';
import { fieldNames, fieldShape, isFieldName } from './fields.js';
import { integerSource, literalSource, TemplateFault } from '../../definitions/template.js';
import { didYouMean, nearestNames } from '../../../common/nearest.js';

interface Literal {
  readonly text: string;
}

interface Field {
  readonly field: FieldName;
  /** Digits at least, zeros before them. */
  readonly width: number;
}

type Piece = Literal | Field;

/** One component of a path that a template may have. */
export interface ComponentPattern {
  /** The same for two patterns that match the same names. */
  readonly source: string;
  /** What every name begins with. */
  readonly prefix: string;
  /** Characters that are not of a field: the more, the more specific. */
  readonly literals: number;
  /** Whether the pattern is a name, without fields. */
  readonly isLiteral: boolean;
  /** The fields of a name, added to `known`; undefined where it does not match, or says something else than what is known. */
  match(name: string, known: FieldValues): FieldValues | undefined;
}

export interface CompiledTemplate {
  readonly template: Template;
  readonly components: readonly ComponentPattern[];
  readonly fields: readonly FieldName[];
  /** Path of a dataset, relative to the root that the template names; undefined where a field of it is missing. */
  format(fields: FieldValues): string | undefined;
  /** One component of that path, counted from 0. */
  formatComponent(index: number, fields: FieldValues): string | undefined;
}

const fieldSyntax = /%\(([^)]*)\)(?:(0?)(\d*))([a-z])|%/g;

/** Throws {@link TemplateFault}. The number of an HDU that ends some templates (`[1]`) is no part of the file's name. */
export function compileTemplate(template: Template): CompiledTemplate {
  const path = template.path.replace(/\[[^\]/]*\]$/, '');
  const names = path.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..') || path.includes('\0')) {
    throw new TemplateFault(`path '${path}' has an empty component, '.' or '..'`, 'write it relative to the repository, as in a/b/c.fits');
  }
  const components = names.map(parsePieces);
  const fields = [...new Set(components.flat().flatMap((piece) => ('field' in piece ? [piece.field] : [])))];
  return {
    template,
    fields,
    components: components.map(compileComponent),
    format: (values) => formatPath(components, values),
    formatComponent: (index, values) => formatName(components[index]!, values),
  };
}

function parsePieces(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(fieldSyntax)) {
    const [whole, name, zero, width, conversion] = match;
    if (name === undefined)
      throw new TemplateFault(`'${text}' has a '%' that begins no field`, 'a field is %(name)s, %(name)d or %(name)05d');
    if (!isFieldName(name)) {
      const advice = didYouMean(nearestNames(name, fieldNames)) ?? `the fields are ${fieldNames.join(', ')}`;
      throw new TemplateFault(`unknown field '${name}'`, advice);
    }
    const isNumber = conversion === 'd';
    if (!isNumber && conversion !== 's')
      throw new TemplateFault(`field '${whole}' is written as '${conversion}'`, 'fields are written as s or d');
    if (isNumber !== (fieldShape(name).type === 'int'))
      throw new TemplateFault(`field '${whole}'`, `${name} is written as ${isNumber ? `%(${name})s` : `%(${name})d`}`);
    if (width !== '' && (zero === '' || !isNumber || Number(width) > 15))
      throw new TemplateFault(
        `field '${whole}' has a width that is not understood`,
        `write %(${name})05d for numbers with zeros before them`,
      );
    if (match.index > at) pieces.push({ text: text.slice(at, match.index) });
    pieces.push({ field: name, width: Number(width ?? '') });
    at = match.index + whole.length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at) });
  return pieces;
}

function compileComponent(pieces: readonly Piece[]): ComponentPattern {
  const fields = pieces.filter((piece) => 'field' in piece);
  const source = pieces.map((piece) => ('text' in piece ? literalSource(piece.text) : `(${fieldSource(piece)})`)).join('');
  const first = pieces[0];
  const prefix = first !== undefined && 'text' in first ? first.text : '';
  const common = {
    source,
    prefix,
    literals: pieces.reduce((sum, piece) => sum + ('text' in piece ? piece.text.length : 0), 0),
    isLiteral: fields.length === 0,
  };
  if (common.isLiteral) return { ...common, match: (name, known) => (name === prefix ? known : undefined) };
  const pattern = new RegExp(`^${source}$`);
  return {
    ...common,
    match(name, known) {
      if (!name.startsWith(prefix)) return undefined;
      const found = pattern.exec(name);
      if (found === null) return undefined;
      const values: Partial<Record<FieldName, DataIdValue>> = { ...known };
      for (let i = 0; i < fields.length; i++) {
        const { field } = fields[i]!;
        const text = found[i + 1]!;
        const value = fieldShape(field).type === 'int' ? Number(text) : text;
        if (values[field] !== undefined && values[field] !== value) return undefined;
        values[field] = value;
      }
      return values;
    },
  };
}

function fieldSource({ field, width }: Field): string {
  const { type, pattern } = fieldShape(field);
  return type === 'int' ? integerSource(width) : pattern;
}

function formatPath(components: readonly (readonly Piece[])[], values: FieldValues): string | undefined {
  const names: string[] = [];
  for (const pieces of components) {
    const name = formatName(pieces, values);
    if (name === undefined) return undefined;
    names.push(name);
  }
  return names.join('/');
}

function formatName(pieces: readonly Piece[], values: FieldValues): string | undefined {
  let name = '';
  for (const piece of pieces) {
    if ('text' in piece) name += piece.text;
    else {
      const value = values[piece.field];
      if (value === undefined) return undefined;
      name += String(value).padStart(piece.width, '0');
    }
  }
  return name;
}
