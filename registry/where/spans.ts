/** What OVERLAPS compares in time. */

import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { SpanNode, TimeNode } from './nodes.js';

/** Half-open, or an instant, which both ends name; undefined is unbounded. */
export interface SpanTerm {
  readonly begin: RawBuilder<unknown> | undefined;
  readonly end: RawBuilder<unknown> | undefined;
  readonly isInstant: boolean;
  /** Whether it comes from a record, and may be empty. */
  readonly isColumn: boolean;
}

export function timeTerm(node: TimeNode | SpanNode): SpanTerm {
  if (node.kind === 'time') return { begin: sql`${node.value}`, end: sql`${node.value}`, isInstant: true, isColumn: false };
  const bound = (value: bigint | null): RawBuilder<unknown> | undefined => (value === null ? undefined : sql`${value}`);
  return { begin: bound(node.begin), end: bound(node.end), isInstant: false, isColumn: false };
}
