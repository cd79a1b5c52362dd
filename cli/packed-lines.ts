/** Lines in, lines out: data IDs as `tract=8766 patch=42`, packed integers in decimal digits. */

import { createInterface } from 'node:readline';
import { ButlerfsError } from '../common/errors.js';
import { parseKeyValues } from '../mounts/options.js';
import type { Column, Columns, PackableDataId, Packer } from '../sky/packing/contract.js';
import { printable } from './table.js';

/** Lines of standard input that are not empty, with their numbers from 1. */
export async function* inputLines(): AsyncIterableIterator<{ readonly line: string; readonly number: number }> {
  let number = 0;
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    number++;
    if (line.trim() !== '') yield { line: line.trim(), number };
  }
}

/** A mistake in a line, with the line's number. */
export function inLine<T>(number: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ButlerfsError)) throw error;
    throw new ButlerfsError(error.code, { ...error.detail, what: `line ${number}: ${error.detail.what}`, cause: error });
  }
}

/** `key=value key=value`. */
export function parseDataId(line: string): PackableDataId {
  return parseKeyValues(line.split(/\s+/));
}

/** Throws `invalid-value` for what are no digits. */
export function parsePacked(text: string): bigint {
  if (/^-?\d{1,30}$/.test(text)) return BigInt(text);
  throw new ButlerfsError('invalid-value', { what: `'${printable(text)}' is no packed integer`, why: 'it is not made of decimal digits' });
}

export function packedLine(packed: bigint, { bits }: Packer, json: boolean): string {
  return json ? `{"packed":${packed},"bits":${bits}}\n` : `${packed}\n`;
}

/** Keys whose values hold for all are left out of lines for people. */
export function dataIdLine(dataId: PackableDataId, { keys }: Packer, json: boolean): string {
  if (json) return `${JSON.stringify(dataId)}\n`;
  return `${keys.map((key) => `${key}=${printable(String(dataId[key]))}`).join(' ')}\n`;
}

function valueAt(column: Column, row: number): number | string {
  return 'codes' in column ? column.labels[column.codes[row]!]! : Number(column[row]!);
}

function rowCount(columns: Columns): number {
  const [column] = Object.values(columns);
  if (column === undefined) return 0;
  return 'codes' in column ? column.codes.length : column.length;
}

/** Rows of columns whose values are below 2^53. */
export function* rowsOf(columns: Columns, fixed: PackableDataId): Iterable<PackableDataId> {
  const entries = Object.entries(columns);
  const rows = rowCount(columns);
  for (let row = 0; row < rows; row++)
    yield { ...fixed, ...Object.fromEntries(entries.map(([key, column]) => [key, valueAt(column, row)])) };
}
