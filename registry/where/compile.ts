/** Checks an expression against what it shall hold of, and turns it into an SQL condition; values travel as parameters, never as text. */

import { sql } from 'kysely';
import type { RawBuilder, SqlBool } from 'kysely';
import type { ComparisonOperator, ExtentNode, LiteralNode, NameNode, RangeNode, TimeNode, WhereNode } from './nodes.js';
import { resolveName, type Resolved, type WhereScope } from './names.js';
import { timeTerm, type SpanTerm } from './spans.js';
import { ButlerfsError } from '../../common/errors.js';
import { relate } from './relate.js';
import { whereError } from './tokens.js';

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
 * A condition over the columns of `scope`. Keys that the scope has not are looked up in dimension records that are joined to it (docs/queries.md).
 *
 * Throws `unknown-dimension` for a name that is none, or that the scope cannot be related to, with its column and the nearest that there is; `invalid-value`
 * for a value of another type than its key's; `usage` for an unknown field; `unsupported` for regions given as numbers.
 */
export function compileWhere(node: WhereNode, scope: WhereScope): Condition {
  const related = relate(node, scope);
  if (related === undefined) return compile(node, scope);
  const { tables, conditions, scope: wider } = related;
  const all = sql.join([...conditions, compile(node, wider)], sql` and `);
  return tables.length === 0 ? sql<SqlBool>`(${all})` : sql<SqlBool>`exists (select 1 from ${sql.join(tables)} where ${all})`;
}

function compile(node: WhereNode, scope: WhereScope): Condition {
  switch (node.kind) {
    case 'and':
    case 'or': {
      const parts = node.parts.map((part) => compile(part, scope));
      return sql<SqlBool>`(${sql.join(parts, node.kind === 'and' ? sql` and ` : sql` or `)})`;
    }
    case 'not':
      return sql<SqlBool>`(not ${compile(node.part, scope)})`;
    case 'constant':
      return node.value === null ? sql<SqlBool>`null` : sql<SqlBool>`${sql.lit(node.value ? 1 : 0)}`;
    case 'compare':
      return compare(node.name, node.operator, node.value, scope);
    case 'in':
      return among(node.name, node.items, scope);
    case 'null': {
      const resolved = resolveName(node.name, scope);
      const column = resolved.kind === 'span' ? resolved.begin : resolved.column;
      return sql<SqlBool>`(${column} is null)`;
    }
    case 'glob': {
      const resolved = valueOf(node.name, scope);
      if (resolved.type === 'int') throw wrongType(node.name.column, 'a pattern', node.name.name, 'int');
      return sql<SqlBool>`(${resolved.column} glob ${node.pattern})`;
    }
    case 'overlaps':
      return overlaps(node.left, node.right, scope);
  }
}

/** A name that stands for one value, not for a time span or a region. */
function valueOf(node: NameNode, scope: WhereScope): Extract<Resolved, { kind: 'value' }> {
  const resolved = resolveName(node, scope);
  if (resolved.kind === 'value') return resolved;
  const advice = resolved.kind === 'time' ? `write ${node.name} < T'2014-11-27'` : `write ${node.name} OVERLAPS ...`;
  throw new ButlerfsError('invalid-value', {
    what: `${node.name} at column ${node.column}`,
    why: `it is a ${nouns[resolved.kind]}`,
    advice,
  });
}

const nouns = { time: 'time', span: 'time span', region: 'region' } as const;

function compare(name: NameNode, operator: ComparisonOperator, value: LiteralNode | TimeNode, scope: WhereScope): Condition {
  const sign = operators[operator];
  if (value.kind === 'literal') {
    const { column, type } = valueOf(name, scope);
    return sql<SqlBool>`${column} ${sign} ${checked(value, type, name)}`;
  }
  const resolved = resolveName(name, scope);
  if (resolved.kind === 'time') return sql<SqlBool>`${resolved.column} ${sign} ${value.value}`;
  if (resolved.kind === 'span' && operator === '<') return sql<SqlBool>`${resolved.end} <= ${value.value}`;
  if (resolved.kind === 'span' && operator === '>') return sql<SqlBool>`${resolved.begin} > ${value.value}`;
  const what = `a time at column ${value.column}`;
  const why = resolved.kind === 'span' ? `${name.name} is a time span` : `${name.name} is not a time`;
  throw new ButlerfsError('invalid-value', {
    what,
    why,
    advice: 'times are compared with visit.timespan.begin, or OVERLAPS visit.timespan',
  });
}

/** Single values travel as one JSON text, so that there may be any number of them. */
function among(name: NameNode, items: readonly (LiteralNode | RangeNode)[], scope: WhereScope): Condition {
  const literals = items.filter((item) => item.kind === 'literal');
  const { column, type } = valueOf(name, scope);
  for (const literal of literals) checked(literal, type, name);
  const values = JSON.stringify(literals.map(({ value }) => value));
  const listed = literals.length === 0 ? [] : [sql`${column} in (select value from json_each(${values}))`];
  const ranges = items.filter((item) => item.kind === 'range').map((item) => within(column, item, type, name));
  return sql<SqlBool>`(${sql.join([...listed, ...ranges], sql` or `)})`;
}

function within(column: RawBuilder<unknown>, { first, last, step, column: place }: RangeNode, type: ValueType, { name }: NameNode) {
  if (type === 'string') throw wrongType(place, `the range ${first}..${last}`, name, type);
  const bounds = sql`${column} between ${first} and ${last}`;
  return step === 1 ? bounds : sql`(${bounds} and (${column} - ${first}) % ${step} = 0)`;
}

type ValueType = Extract<Resolved, { kind: 'value' }>['type'];

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

function overlaps(left: ExtentNode, right: ExtentNode, scope: WhereScope): Condition {
  const [a, b] = [extentOf(left, scope), extentOf(right, scope)];
  if (a === 'region' || b === 'region') {
    const place = left.kind === 'name' ? right.column : left.column;
    if (a !== b) throw whereError(place, 'OVERLAPS between a region and a time');
    throw new ButlerfsError('unsupported', {
      what: `a region at column ${place}`,
      why: 'expressions cannot compare regions yet',
      advice: 'keys on the sky are related by themselves: visit = 1228 finds the coadds that the visit overlaps',
    });
  }
  const conditions = [earlier(a.begin, b.end, b.isInstant), earlier(b.begin, a.end, a.isInstant)].flatMap((condition) => condition ?? []);
  // A time span that ends before it begins is empty, and overlaps nothing.
  const full = [a, b].flatMap(({ begin, end, isColumn }) => (isColumn ? [sql<SqlBool>`${begin} < ${end}`] : []));
  return sql<SqlBool>`(${sql.join([...conditions, ...full, sql`1`], sql` and `)})`;
}

function earlier(begin: SpanTerm['begin'], end: SpanTerm['end'], isInstant: boolean): Condition | undefined {
  if (begin === undefined || end === undefined) return undefined;
  return isInstant ? sql<SqlBool>`${begin} <= ${end}` : sql<SqlBool>`${begin} < ${end}`;
}

function extentOf(node: ExtentNode, scope: WhereScope): SpanTerm | 'region' {
  if (node.kind === 'region') return 'region';
  if (node.kind !== 'name') return timeTerm(node);
  const resolved = resolveName(node, scope);
  if (resolved.kind === 'region') return 'region';
  if (resolved.kind === 'span') return { begin: resolved.begin, end: resolved.end, isInstant: false, isColumn: true };
  if (resolved.kind === 'time') return { begin: resolved.column, end: resolved.column, isInstant: true, isColumn: false };
  throw new ButlerfsError('invalid-value', {
    what: `${node.name} at column ${node.column}`,
    why: 'OVERLAPS takes time spans, times and regions',
    advice: "write visit.timespan OVERLAPS (T'2014-11-27', T'2014-11-28')",
  });
}
