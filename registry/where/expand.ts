/**
 * Puts canonical names and values for aliases in an expression (docs/paths.md, rule 5). What follows knows dimensions, fields of records and constants only.
 *
 * An alias of one instrument holds for its data IDs only: what it says is nothing of all others, whether it is negated or not.
 */

import { globPattern } from './glob.js';
import { appliesTo, filterAlias, type KeyAlias, meaningsOf } from '../aliases.js';
import { isFlavorKey } from '../coadd-flavors.js';
import type { DataIdValue, Dimension } from '../contract.js';
import { bandsOfFilter, filterDimension, mayHaveNames, namedValues, parseValue } from '../key-values.js';
import type { WhereScope } from './names.js';
import type { ExtentNode, LiteralNode, NameNode, RangeNode, WhereNode } from './nodes.js';

type Predicate = Extract<WhereNode, { readonly name: NameNode }>;

/** Throws `invalid-value` for text that is no value of a key, such as a patch outside its sky map. */
export function expandAliases(node: WhereNode, scope: WhereScope, isNegated = false): WhereNode {
  switch (node.kind) {
    case 'and':
    case 'or':
      return { kind: node.kind, parts: node.parts.map((part) => expandAliases(part, scope, isNegated)) };
    case 'not':
      return { kind: 'not', part: expandAliases(node.part, scope, !isNegated) };
    case 'overlaps': {
      const renamed = (extent: ExtentNode): ExtentNode => (extent.kind === 'name' ? canonicalName(extent, scope) : extent);
      return { ...node, left: renamed(node.left), right: renamed(node.right) };
    }
    case 'constant':
      return node;
    default:
      return predicate(node, scope, isNegated);
  }
}

function predicate(node: Predicate, scope: WhereScope, isNegated: boolean): WhereNode {
  const [first = '', ...fields] = node.name.name.split('.');
  if (scope.records.universe.element(first) !== undefined) return fields.length > 0 ? node : withNames(node, first, scope);
  if (isFlavorKey(first) && fields.length === 0 && scope.flavor !== undefined)
    return { kind: 'constant', value: compareText(node, scope.flavor) };
  const meanings = meaningsOf(scope.catalogue, first, scope.aliases);
  if (meanings.length === 0) return node;
  if (node.kind === 'in' && node.items.length > 1 && node.items.some(isText))
    return { kind: 'or', parts: node.items.map((item) => predicate(single(node.name, item), scope, isNegated)) };
  const cases: Case[] = [];
  for (const meaning of meanings) {
    const then = meant(node, meaning, fields, scope);
    cases.push({ instrument: meaning.instrument, then });
    if (meaning.instrument === undefined) break;
  }
  const misfits = cases.map(({ then }) => misfit(then, scope));
  if (!misfits.includes(undefined)) return choose(cases, node.name, isNegated);
  return choose(
    cases.map((one, index) => ({ ...one, then: misfits[index] ?? one.then })),
    node.name,
    isNegated,
  );
}

/** What holds where a text is no value of the dimension, though it may be one with another instrument; undefined for all other predicates. */
function misfit(node: WhereNode, { records }: WhereScope): WhereNode | undefined {
  if (node.kind !== 'compare' || !isText(node.value) || records.universe.dimension(node.name.name)?.type !== 'int') return undefined;
  const equal = { '=': false, '!=': true } as const;
  return { kind: 'constant', value: node.operator === '=' || node.operator === '!=' ? equal[node.operator] : null };
}

/** What holds for the data IDs of an instrument, or of all that no case before is for. */
interface Case {
  readonly instrument: DataIdValue | undefined;
  readonly then: WhereNode;
}

/** Of each data ID the first case that is for it; of one that no case is for nothing holds, and nothing does not. */
function choose(cases: readonly Case[], { column }: NameNode, isNegated: boolean): WhereNode {
  const [only] = cases;
  if (cases.length === 1 && only!.instrument === undefined) return only!.then;
  const chosen = cases.map(({ instrument, then }, index): WhereNode => {
    const holds = isNegated ? negate(then) : then;
    const earlier = cases.slice(0, index).map(({ instrument: other }) => negate(isInstrument(other!, column)));
    return { kind: 'and', parts: [...(instrument === undefined ? earlier : [isInstrument(instrument, column)]), holds] };
  });
  const any: WhereNode = chosen.length === 1 ? chosen[0]! : { kind: 'or', parts: chosen };
  return isNegated ? negate(any) : any;
}

function isInstrument(value: DataIdValue, column: number): WhereNode {
  const name: NameNode = { kind: 'name', name: 'instrument', column };
  return { kind: 'compare', operator: '=', name, value: { kind: 'literal', value, column } };
}

function negate(part: WhereNode): WhereNode {
  return { kind: 'not', part };
}

/** A predicate as one meaning of its alias has it. */
function meant(node: Predicate, { means, values, field }: KeyAlias, fields: readonly string[], scope: WhereScope): WhereNode {
  if (means === filterAlias && fields.length === 0) return filterPredicate(node, scope);
  const path = [means, ...(field === undefined ? [] : [field]), ...fields];
  const renamed = { ...node, name: { ...node.name, name: path.join('.') } };
  if (path.length > 1) return renamed;
  const translated =
    values === undefined ? renamed : withLiterals(renamed, ({ value, ...literal }) => ({ ...literal, value: translate(values, value) }));
  return withNames(translated, means, scope);
}

function translate(values: Readonly<Record<string, DataIdValue>>, value: DataIdValue): DataIdValue {
  return Object.hasOwn(values, String(value)) ? values[String(value)]! : value;
}

/** The same predicate with other literals; patterns and times stay. */
function withLiterals(node: Predicate, change: (literal: LiteralNode) => LiteralNode): Predicate {
  if (node.kind === 'compare' && node.value.kind === 'literal') return { ...node, value: change(node.value) };
  if (node.kind === 'in') return { ...node, items: node.items.map((item) => (item.kind === 'literal' ? change(item) : item)) };
  return node;
}

/** Names and x,y patches where a number is wanted: `detector = 'S29'`, of each instrument that has such a name. */
function withNames(node: Predicate, name: string, scope: WhereScope): WhereNode {
  const dimension = scope.records.universe.dimension(name);
  if (dimension === undefined || !mayHaveNames(dimension)) return node;
  if (node.kind === 'in') {
    if (!node.items.some(isText)) return node;
    return { kind: 'or', parts: node.items.map((item) => withNames(single(node.name, item), name, scope)) };
  }
  if (node.kind !== 'compare' || (node.operator !== '=' && node.operator !== '!=') || !isText(node.value)) return node;
  return numbered(node, dimension, scope);
}

function isText(item: { readonly kind: string; readonly value?: unknown }): boolean {
  return item.kind === 'literal' && typeof item.value === 'string';
}

/** One item of a list by itself. */
function single(name: NameNode, item: LiteralNode | RangeNode): Predicate {
  return item.kind === 'range' ? { kind: 'in', name, items: [item] } : { kind: 'compare', operator: '=', name, value: item };
}

function numbered(node: Extract<Predicate, { kind: 'compare' }>, dimension: Dimension, { catalogue }: WhereScope): WhereNode {
  const literal = node.value as LiteralNode;
  const text = String(literal.value);
  const withValue = (value: DataIdValue): WhereNode => ({ ...node, value: { ...literal, value } });
  if (dimension.name === 'patch' && text.includes(',')) return withValue(parseValue(catalogue, dimension, text, new Map()));
  const named = namedValues(catalogue, dimension, text, new Map());
  if (named.length === 0) return node;
  const isOneOf: WhereNode = {
    kind: 'or',
    parts: named.map(({ instrument, value }) => {
      const isValue: WhereNode = { kind: 'compare', operator: '=', name: node.name, value: { ...literal, value } };
      return instrument === undefined ? isValue : { kind: 'and', parts: [isInstrument(instrument, node.name.column), isValue] };
    }),
  };
  return node.operator === '=' ? isOneOf : negate(isOneOf);
}

/** `filter` as a physical filter or a band, after each value; without a value it is a physical filter where the subject has one. */
function filterPredicate(node: Predicate, scope: WhereScope): WhereNode {
  if (node.kind === 'in' && node.items.length > 1)
    return { kind: 'or', parts: node.items.map((item) => filterPredicate(single(node.name, item), scope)) };
  const literal = node.kind === 'compare' ? node.value : node.kind === 'in' ? node.items[0] : undefined;
  const known = scope.columns.size === 0 ? ['physical_filter', 'band'] : [...scope.columns.keys()];
  const hasFilter = known.includes('physical_filter');
  const renamed = (dimension: string): Predicate => ({ ...node, name: { ...node.name, name: dimension } });
  if (literal?.kind !== 'literal' || typeof literal.value !== 'string')
    return renamed(hasFilter || !known.includes('band') ? 'physical_filter' : 'band');
  const dimension = filterDimension(scope.catalogue, known, literal.value);
  const bands = dimension === 'band' && !hasFilter ? bandsOfFilter(scope.catalogue, literal.value) : [];
  if (bands.length === 0) return renamed(dimension);
  const isOneOf: WhereNode = { kind: 'in', name: renamed(dimension).name, items: bands.map((value) => ({ ...literal, value })) };
  if (node.kind === 'in' || (node.kind === 'compare' && node.operator === '=')) return isOneOf;
  if (node.kind === 'compare' && node.operator === '!=') return negate(isOneOf);
  return renamed(dimension);
}

/** The name that an alias stands for where a predicate takes it as it is: that of the first meaning. */
function canonicalName(node: NameNode, { catalogue, aliases, records }: WhereScope): NameNode {
  const [first = '', ...fields] = node.name.split('.');
  if (records.universe.element(first) !== undefined) return node;
  const meaning = meaningsOf(catalogue, first, aliases).find((one) => appliesTo(one, undefined));
  return meaning === undefined ? node : { ...node, name: [meaning.means, ...fields].join('.') };
}

/** What a predicate says of a text that is known; null where there is none, of which nothing holds. */
function compareText(node: Predicate, text: string | null): boolean | null {
  if (node.kind === 'null') return text === null;
  if (text === null) return null;
  switch (node.kind) {
    case 'glob':
      return globPattern(node.pattern).test(text);
    case 'in':
      return node.items.some((item) => item.kind === 'literal' && item.value === text);
    case 'compare': {
      const value = String(node.value.value);
      const results = {
        '=': text === value,
        '!=': text !== value,
        '<': text < value,
        '<=': text <= value,
        '>': text > value,
        '>=': text >= value,
      };
      return results[node.operator];
    }
  }
}
