/** What the names of an expression stand for. */

import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import type { Catalogue, DimensionName } from '../contract.js';
import { aliasNames, type KeyAliases } from '../aliases.js';
import { type Columns, recordColumn, type RecordTables } from '../sqlite/record-join.js';
import type { DimensionElement } from '../universe.js';
import type { NameNode } from './nodes.js';
import { whereError } from './tokens.js';

/** What an expression is checked against. */
export interface WhereScope {
  readonly catalogue: Catalogue;
  readonly records: RecordTables;
  /** For messages: `dataset type 'calexp'`. */
  readonly subject: string;
  /** Keys that the subject has. */
  readonly columns: Columns;
  readonly aliases: KeyAliases;
  /** Of the dataset type that is the subject, null where it has none; undefined where the subject is no dataset type. */
  readonly flavor: string | null | undefined;
}

export type Resolved =
  /** `any`: a field of a record, whose type the catalogue does not keep. */
  | { readonly kind: 'value'; readonly column: RawBuilder<unknown>; readonly type: 'int' | 'string' | 'any' }
  /** Nanoseconds since 1970-01-01 TAI. */
  | { readonly kind: 'time'; readonly column: RawBuilder<unknown> }
  | { readonly kind: 'span'; readonly begin: RawBuilder<unknown>; readonly end: RawBuilder<unknown> }
  | { readonly kind: 'region'; readonly column: RawBuilder<unknown> };

/**
 * The dimensions that a name needs, which is no alias (expand.ts): its own, or those that select the record that it is a field of. Throws
 * `unknown-dimension`, with the nearest, for a name that the universe has not.
 */
export function dimensionsOf(node: NameNode, { catalogue, records, columns, aliases, subject }: WhereScope): readonly DimensionName[] {
  const { universe } = records;
  const [first = '', ...fields] = node.name.split('.');
  const element = universe.element(first);
  if (fields.length > 0 && element !== undefined) return element.required;
  if (fields.length === 0 && universe.dimension(first) !== undefined) return [first];
  const known =
    fields.length === 0
      ? [...columns.keys(), ...universe.names, ...aliasNames(catalogue, aliases)]
      : universe.elements.map((each) => each.name);
  throw new ButlerfsError('unknown-dimension', {
    what: `unknown dimension '${first}' at column ${node.column}`,
    advice:
      didYouMean(nearestNames(first, new Set(known))) ??
      (columns.size === 0
        ? `the dimensions are ${universe.names.join(', ')}`
        : `the keys of ${subject} are ${[...columns.keys()].join(', ')}`),
  });
}

/** The scope has the columns that the name needs. */
export function resolveName(node: NameNode, scope: WhereScope): Resolved {
  const { records, columns } = scope;
  const [first = '', ...fields] = node.name.split('.');
  if (fields.length > 0) return fieldOf(node, records.universe.element(first)!, fields, scope);
  return { kind: 'value', column: columns.get(first)!, type: records.universe.dimension(first)!.type };
}

function fieldOf(node: NameNode, element: DimensionElement, path: readonly string[], { records, columns }: WhereScope): Resolved {
  const fields = records.fields(element.name) ?? [];
  const field = path.join('.');
  const column = (name: string): RawBuilder<unknown> => recordColumn(element, name, columns);
  if (fields.includes(field))
    return field === 'region' ? { kind: 'region', column: column(field) } : { kind: 'value', column: column(field), type: 'any' };
  if (fields.includes('timespan_begin') && fields.includes('timespan_end')) {
    if (field === 'timespan') return { kind: 'span', begin: column('timespan_begin'), end: column('timespan_end') };
    if (field === 'timespan.begin' || field === 'timespan.end') return { kind: 'time', column: column(field.replace('.', '_')) };
  }
  // The key itself, as the subject has it.
  if (field === element.name && columns.has(field)) {
    return { kind: 'value', column: sql`${columns.get(field)!}`, type: records.universe.dimension(field)!.type };
  }
  const shown = [...new Set(fields.map((name) => name.replace(/^timespan_(?:begin|end)$/, 'timespan')))];
  const advice = didYouMean(nearestNames(field, shown)) ?? `its fields are ${shown.join(', ') || 'none'}`;
  throw whereError(node.column, `the unknown field '${field}' of '${element.name}'`, advice);
}
