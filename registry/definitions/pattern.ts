/** The path of a definition of a Gen3 repository: which directories it reaches, and which data ID a file has. */

import type { DataIdValue, DimensionName, DimensionUniverse } from '../contract.js';
import type { DefinedType } from './contract.js';
import { integerSource, literalSource, parseTemplate, plainFieldName, TemplateFault, type FieldPiece, type Piece } from './template.js';

/** Fields that name the RUN of a dataset: {run} all of its name, {rerun} what follows `rerun/`. */
export const runFields: readonly string[] = ['run', 'rerun'];

/** What the path of a file says. */
export interface PathValues {
  readonly values: ReadonlyMap<DimensionName, DataIdValue>;
  /** Name of its RUN, where the path has one. */
  readonly run: string | undefined;
}

export interface PathPattern {
  readonly type: DefinedType;
  /** A regular expression for whole paths. */
  readonly source: string;
  /** By component of the path; the last one is of files. */
  readonly components: readonly PathComponent[];
  /** Fields in the order of the path, each once, by the names of their dimensions. */
  readonly fields: readonly string[];
  /** Undefined where the path is not of the type. */
  match(path: string): PathValues | undefined;
}

interface PathComponent {
  /** Whether several components may stand here: names of RUNs hold slashes. */
  readonly isLong: boolean;
  matches(name: string): boolean;
}

/**
 * Without a universe a field matches any text, as far as its width does not say otherwise: for finding directories. Throws `TemplateFault` for a path that is none.
 */
export function compilePattern(type: DefinedType, universe?: Pick<DimensionUniverse, 'dimension'>): PathPattern {
  const components = parseTemplate(type.path);
  const pieces = components.flat().filter((piece) => 'field' in piece);
  const sourceOf = (piece: Piece, isLong: boolean): string =>
    'text' in piece ? literalSource(piece.text) : `(${isLong ? '[^/]+?(?:\\/[^/]+?)*?' : fieldSource(piece, universe)})`;
  const sources = components.map((parts) => parts.map((piece) => sourceOf(piece, isLongRun(parts))).join(''));
  const source = sources.join('\\/');
  const whole = new RegExp(`^${source}$`);
  return {
    type,
    source,
    components: components.map((parts, index) => {
      const expression = new RegExp(`^${sources[index]!}$`);
      return { isLong: isLongRun(parts), matches: (name) => expression.test(name) };
    }),
    fields: [...new Set(pieces.map(({ field }) => dimensionOf(field)))],
    match: (path) => valuesOf(whole.exec(path), pieces, universe),
  };
}

/**
 * The path of a dataset. Throws `TemplateFault` for a template that is none, and where a value of it is missing or cannot be a part of a path.
 */
export function formatTemplate(template: string, { values, run }: PathValues): string {
  const textOf = (piece: Piece): string => {
    if ('text' in piece) return piece.text;
    const { field, width } = piece;
    const beginning = field === 'rerun' ? 'rerun/' : '';
    const value = runFields.includes(field) ? run?.slice(run.startsWith(beginning) ? beginning.length : 0) : values.get(dimensionOf(field));
    if (value === undefined)
      throw new TemplateFault(`nothing gives the field {${field}} of '${template}'`, 'give it in the data ID, or give the path');
    const text = String(value).padStart(width, '0');
    if (field !== 'run' && text.includes('/')) throw new TemplateFault(`the value '${text}' of {${field}} holds a slash`, 'give the path');
    return text;
  };
  return parseTemplate(template)
    .map((pieces) => pieces.map(textOf).join(''))
    .join('/');
}

/** The dimension that a field gives, or one of {@link runFields}. */
export function dimensionOf(field: string): string {
  return field === 'filter' ? 'physical_filter' : plainFieldName(field);
}

function isLongRun(parts: readonly Piece[]): boolean {
  const [only, ...others] = parts;
  return only !== undefined && others.length === 0 && 'field' in only && only.field === 'run';
}

function fieldSource({ field, width, conversion }: FieldPiece, universe: Pick<DimensionUniverse, 'dimension'> | undefined): string {
  const isNumber = width > 0 || conversion === 'd' || universe?.dimension(dimensionOf(field))?.type === 'int';
  return isNumber ? integerSource(width) : '[^/]+?';
}

function valuesOf(
  found: RegExpExecArray | null,
  pieces: readonly FieldPiece[],
  universe: Pick<DimensionUniverse, 'dimension'> | undefined,
): PathValues | undefined {
  if (found === null) return undefined;
  const values = new Map<DimensionName, DataIdValue>();
  let run: string | undefined;
  for (const [index, { field }] of pieces.entries()) {
    const text = found[index + 1]!;
    if (runFields.includes(field)) {
      const name = field === 'run' ? text : `rerun/${text}`;
      if (run !== undefined && run !== name) return undefined;
      run = name;
      continue;
    }
    const dimension = dimensionOf(field);
    const value = universe?.dimension(dimension)?.type === 'int' ? Number(text) : text;
    if (values.has(dimension) && values.get(dimension) !== value) return undefined;
    values.set(dimension, value);
  }
  return { values, run };
}

/** Most components that the name of a RUN is looked for in. */
const longestRun = 8;

/** A directory on the way of patterns. */
export interface ReachedDirectory {
  readonly path: string;
  /** Where in which pattern its entries stand; `long` counts components of the name of a RUN. */
  readonly places: readonly { readonly pattern: PathPattern; readonly component: number; readonly long: number }[];
}

/** Which directories patterns reach. */
export class PatternLayout {
  readonly #patterns: readonly PathPattern[];

  constructor(patterns: readonly PathPattern[]) {
    this.#patterns = patterns;
  }

  /** The directory that all begin in. */
  directory(path: ''): ReachedDirectory {
    return { path, places: this.#patterns.map((pattern) => ({ pattern, component: 0, long: 0 })) };
  }

  /** Undefined where no pattern goes there. */
  below({ path, places }: ReachedDirectory, name: string): ReachedDirectory | undefined {
    const reached = places.flatMap(({ pattern, component, long }) => {
      const { isLong, matches } = pattern.components[component]!;
      if (component === pattern.components.length - 1 || !matches(name)) return [];
      const next = { pattern, component: component + 1, long: 0 };
      return isLong && long + 1 < longestRun ? [{ pattern, component, long: long + 1 }, next] : [next];
    });
    return reached.length === 0 ? undefined : { path: path === '' ? name : `${path}/${name}`, places: reached };
  }

  /** Whether an entry counts: a directory that is reached, or a file where files of some pattern may be. */
  isOf(directory: ReachedDirectory, { name, kind }: { readonly name: string; readonly kind: string }): boolean {
    if (kind === 'directory') return this.below(directory, name) !== undefined;
    return directory.places.some(
      ({ pattern: { components }, component }) => component === components.length - 1 && components[component]!.matches(name),
    );
  }
}
