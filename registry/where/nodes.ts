/** What an expression of the query language is once it is parsed (docs/queries.md). Columns are counted from 1, in characters of the expression. */

export type ComparisonOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';

/** A key (`tract`), a field of a dimension record (`visit.exposure_time`), its time span or an end of that, or its region. */
export interface NameNode {
  readonly kind: 'name';
  readonly name: string;
  readonly column: number;
}

export interface LiteralNode {
  readonly kind: 'literal';
  readonly value: number | string;
  readonly column: number;
}

/** An instant: nanoseconds since 1970-01-01 TAI. */
export interface TimeNode {
  readonly kind: 'time';
  readonly value: bigint;
  readonly column: number;
}

/** Half-open, nanoseconds since 1970-01-01 TAI; null is unbounded. */
export interface SpanNode {
  readonly kind: 'span';
  readonly begin: bigint | null;
  readonly end: bigint | null;
  readonly column: number;
}

/** A region of the sky, angles in degrees: `POINT(ra, dec)`, `CIRCLE(ra, dec, radius)`, `BOX(ra, dec, width, height)`, `POLYGON(ra, dec, ra, dec, ...)`. */
export interface RegionNode {
  readonly kind: 'region';
  readonly shape: RegionShape;
  readonly numbers: readonly number[];
  readonly column: number;
}

export const regionShapes = ['POINT', 'CIRCLE', 'BOX', 'POLYGON'] as const;
export type RegionShape = (typeof regionShapes)[number];

/** Every `step`th integer from `first` to `last`, both included. */
export interface RangeNode {
  readonly kind: 'range';
  readonly first: number;
  readonly last: number;
  readonly step: number;
  readonly column: number;
}

/** What OVERLAPS stands between. */
export type ExtentNode = NameNode | TimeNode | SpanNode | RegionNode;

export type WhereNode =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly WhereNode[] }
  | { readonly kind: 'not'; readonly part: WhereNode }
  /** The same for every data ID; null is neither. */
  | { readonly kind: 'constant'; readonly value: boolean | null }
  | { readonly kind: 'compare'; readonly operator: ComparisonOperator; readonly name: NameNode; readonly value: LiteralNode | TimeNode }
  | { readonly kind: 'in'; readonly name: NameNode; readonly items: readonly (LiteralNode | RangeNode)[] }
  | { readonly kind: 'null'; readonly name: NameNode }
  /** `pattern` is one of SQLite's GLOB: `*` is any text, `?` any character. Case counts. */
  | { readonly kind: 'glob'; readonly name: NameNode; readonly pattern: string }
  | { readonly kind: 'overlaps'; readonly left: ExtentNode; readonly right: ExtentNode; readonly column: number };

/** Every name in an expression, in its order. */
export function namesIn(node: WhereNode): NameNode[] {
  switch (node.kind) {
    case 'and':
    case 'or':
      return node.parts.flatMap(namesIn);
    case 'not':
      return namesIn(node.part);
    case 'constant':
      return [];
    case 'overlaps':
      return [node.left, node.right].filter((extent) => extent.kind === 'name');
    default:
      return [node.name];
  }
}
