/** What the explanations of all kinds of paths have in common. */

import { nearestIntegers, nearestNames } from '../../common/nearest.js';
import type { Constraint, DataIdValue, DimensionName } from '../../registry/contract.js';
import { encodeValue } from '../../registry/values.js';
import { utcText } from '../../sky/time-scales.js';
import type { View } from './view.js';

export interface Explanation {
  /** Lines of `name: text`, ending with a newline. */
  readonly text: string;
  /** What the path leads to; `nothing` where it does not resolve. */
  readonly kind: 'directory' | 'file' | 'nothing';
}

/** How many values or names an explanation lists. */
export const SAMPLE = 10;

export function done(lines: string[], kind: 'directory' | 'file', result: string): Explanation {
  lines.push(`result: ${result}`);
  return { text: `${lines.join('\n')}\n`, kind };
}

export function dataIdText(constraint: Constraint): string {
  return [...constraint].map(([dimension, value]) => `${dimension}=${encodeValue(value)}`).join(' ');
}

/** The values nearest to one that does not exist, as advice. */
export function nearestValues(dimension: DimensionName, value: DataIdValue, values: readonly DataIdValue[]): string {
  if (values.length === 0) return `there are no values of ${dimension} here`;
  const integers = values.filter((one): one is number => typeof one === 'number');
  const nearest = typeof value === 'number' ? nearestIntegers(value, integers).map(String) : nearestNames(value, values.map(String));
  const shown = nearest.length > 0 ? nearest : values.slice(0, SAMPLE).map(String);
  return `the nearest of ${values.length} are ${shown.map((one) => `${dimension}=${encodeValue(one)}`).join(', ')}`;
}

/** `searched:`, and `expression:` and `as of:` where the view has one. */
export function viewLines({ searchPath, where, ingested }: View): string[] {
  return [
    `searched: ${collectionsText(searchPath.collections.map(({ name }) => name))}`,
    ...(where === undefined ? [] : [`expression: ${where}`]),
    ...(ingested?.until === undefined ? [] : [`as of: ${utcText(ingested.until)}, by the times at which datasets were taken in`]),
  ];
}

export function collectionsText(all: readonly string[]): string {
  return `${all.slice(0, SAMPLE).join(', ')}${all.length > SAMPLE ? ` and ${all.length - SAMPLE} more collections` : ''}`;
}
