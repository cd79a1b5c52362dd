/** Checks an expression against a dataset type and turns it into an SQL condition on memberships `m`; values travel as parameters, never as text. */

import { sql } from 'kysely';
import type { RawBuilder, SqlBool } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import type { Catalogue, DatasetType } from '../contract.js';
import { filterDimension, resolveAlias } from '../keys.js';
import { recordField, recordTable, dimensionColumn } from '../sqlite/schema.js';
import type { ElementUniverse } from '../universe.js';
import type { ComparisonOperator, LiteralNode, NameNode, RangeNode, WhereNode } from './parser.js';
import { whereError } from './tokens.js';

export interface WhereContext {
  readonly catalogue: Catalogue & { readonly universe: ElementUniverse };
  /** Which fields the records of an element have. */
  readonly records: { fields(element: string): readonly string[] | undefined };
  readonly type: DatasetType;
}

type Condition = RawBuilder<SqlBool>;

const operators: Readonly<Record<ComparisonOperator, RawBuilder<unknown>>> = {
  '=': sql`=`,
  '!=': sql`!=`,
  '<': sql`<`,
  '<=': sql`<=`,
  '>': sql`>`,
  '>=': sql`>=`,
};

/**
 * Throws `unknown-dimension` for a name that the dataset type has not, with its column and the nearest that there is; `invalid-value` for a value of another
 * type than its key's.
 */
export function compileWhere(node: WhereNode, context: WhereContext): Condition {
  switch (node.kind) {
    case 'and':
    case 'or': {
      const parts = node.parts.map((part) => compileWhere(part, context));
      return sql<SqlBool>`(${sql.join(parts, node.kind === 'and' ? sql` and ` : sql` or `)})`;
    }
    case 'not':
      return sql<SqlBool>`(not ${compileWhere(node.part, context)})`;
    case 'compare': {
      const { column, type } = resolve(node.name, node.value.value, context);
      return sql<SqlBool>`${column} ${operators[node.operator]} ${checked(node.value, type, node.name)}`;
    }
    case 'in': {
      const [first] = node.items;
      const { column, type } = resolve(node.name, first?.kind === 'literal' ? first.value : undefined, context);
      const parts = node.items.map((item) =>
        item.kind === 'range' ? within(column, item, type, node.name) : sql`${column} = ${checked(item, type, node.name)}`,
      );
      return sql<SqlBool>`(${sql.join(parts, sql` or `)})`;
    }
  }
}

function within(
  column: RawBuilder<unknown>,
  { first, last, step, column: place }: RangeNode,
  type: ValueType,
  { name }: NameNode,
): RawBuilder<unknown> {
  if (type === 'string') throw wrongType(place, `the range ${first}..${last}`, name, type);
  const bounds = sql`${column} between ${first} and ${last}`;
  return step === 1 ? bounds : sql`(${bounds} and (${column} - ${first}) % ${step} = 0)`;
}

/** `any`: a field of a record, whose type the catalogue does not keep. */
type ValueType = 'int' | 'string' | 'any';

function checked({ value, column }: LiteralNode, type: ValueType, { name }: NameNode): RawBuilder<unknown> {
  const fits = type === 'any' || (type === 'string' ? typeof value === 'string' : Number.isSafeInteger(value));
  if (!fits) throw wrongType(column, JSON.stringify(value), name, type);
  return sql`${value}`;
}

function wrongType(column: number, value: string, name: string, type: ValueType): ButlerfsError {
  const advice = type === 'string' ? `write ${name} = '...'` : `write ${name} = 1, without quotes`;
  return new ButlerfsError('invalid-value', {
    what: `${value} at column ${column}`,
    why: `${name} is ${type === 'int' ? 'an integer' : 'a string'}`,
    advice,
  });
}

function resolve(
  node: NameNode,
  value: string | number | undefined,
  context: WhereContext,
): { column: RawBuilder<unknown>; type: ValueType } {
  const { catalogue, type } = context;
  const dot = node.name.indexOf('.');
  if (dot >= 0) return { column: fieldOf(node, node.name.slice(0, dot), node.name.slice(dot + 1), context), type: 'any' };
  const name = node.name === 'filter' ? filterDimension(catalogue, type, String(value)) : resolveAlias(node.name);
  const known = [...type.dimensions.required, ...type.dimensions.implied];
  const dimension = known.includes(name) ? catalogue.universe.dimension(name) : undefined;
  if (dimension !== undefined) return { column: sql.ref(`m.${dimensionColumn(name)}`), type: dimension.type };
  const exists = catalogue.universe.dimension(name) !== undefined;
  throw new ButlerfsError('unknown-dimension', {
    what: `${exists ? '' : 'unknown '}dimension '${node.name}' at column ${node.column}`,
    why: exists ? `dataset type '${type.name}' has no such key` : undefined,
    advice:
      (exists ? undefined : didYouMean(nearestNames(node.name, known))) ?? `the keys of '${type.name}' are ${known.join(', ') || 'none'}`,
  });
}

/** A field of the record that the data ID selects. */
function fieldOf({ column }: NameNode, name: string, field: string, { catalogue, records, type }: WhereContext): RawBuilder<unknown> {
  const elementName = resolveAlias(name);
  const element = catalogue.universe.element(elementName);
  const known = [...type.dimensions.required, ...type.dimensions.implied];
  if (element === undefined || !element.required.every((dimension) => known.includes(dimension))) {
    const usable = catalogue.universe.elements
      .filter(({ required }) => required.every((dimension) => known.includes(dimension)))
      .map((each) => each.name);
    const advice = didYouMean(nearestNames(name, usable)) ?? `records of ${usable.join(', ') || 'no dimension'} may be asked`;
    const what = `dimension '${name}' at column ${column}`;
    throw new ButlerfsError('unknown-dimension', { what, why: `dataset type '${type.name}' does not determine a record of it`, advice });
  }
  const fields = records.fields(elementName) ?? [];
  if (field === 'timespan' || field === 'region') {
    throw new ButlerfsError('unsupported', {
      what: `${name}.${field} at column ${column}`,
      why: 'terms of time and region are not supported',
    });
  }
  if (!fields.includes(field)) {
    const advice = didYouMean(nearestNames(field, fields)) ?? `its fields are ${fields.join(', ') || 'none'}`;
    throw whereError(column, `the unknown field '${field}' of '${name}'`, advice);
  }
  const conditions = element.required.map(
    (dimension) => sql`r.${sql.ref(recordField(element, dimension))} = ${sql.ref(`m.${dimensionColumn(dimension)}`)}`,
  );
  return sql`(select r.${sql.ref(field)} from ${sql.table(recordTable(elementName))} as r where ${sql.join(conditions, sql` and `)})`;
}
