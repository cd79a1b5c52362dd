/** How values are written in the tables of a shared catalogue. */

import { z } from 'zod';
import { ButlerfsError } from '../../common/errors.js';
import type { DataIdValue, StoredFile } from '../contract.js';
import type { Integer } from './schema.js';

export type FieldValue = DataIdValue | bigint | null;

/**
 * A text that every server stores as it is. Throws `invalid-value` for a NUL, which PostgreSQL has no place for, and for half of a surrogate pair, which no encoding
 * has.
 */
export function storable(text: string, what: string): string {
  const why = text.includes('\0') ? 'it holds a NUL' : /\p{Surrogate}/u.test(text) ? 'it is not well-formed Unicode' : undefined;
  if (why === undefined) return text;
  throw new ButlerfsError('invalid-value', {
    what: `${what} ${JSON.stringify(text.slice(0, 100))}`,
    why: `${why}, so it cannot be stored`,
  });
}

/** Fields of a dimension record as JSON; integers beyond 2^53 and numbers that JSON lacks are kept as objects. */
export function writeFields(fields: Readonly<Record<string, FieldValue>>): string {
  return JSON.stringify(fields, (_, value: unknown) => {
    if (typeof value === 'bigint') return { integer: String(value) };
    return typeof value === 'number' && !Number.isFinite(value) ? { number: String(value) } : value;
  });
}

const fieldsShape = z.record(
  z.string(),
  z.union([
    z.string(),
    z.number(),
    z.null(),
    z.strictObject({ integer: z.string().regex(/^-?\d+$/) }).transform(({ integer }) => BigInt(integer)),
    z.strictObject({ number: z.enum(['Infinity', '-Infinity', 'NaN']) }).transform(({ number }) => Number(number)),
  ]),
);
const dataIdShape = z.array(z.union([z.string(), z.number()]));
const filesShape = z.array(
  z.tuple([z.string().nullable(), z.string(), z.string().nullable(), z.number().nullable(), z.string().nullable(), z.string()]),
);

export function readFields(text: string): Record<string, FieldValue> {
  return read(fieldsShape, text, 'the fields of a dimension record');
}

export function readDataId(text: string): DataIdValue[] {
  return read(dataIdShape, text, 'a data ID');
}

export function writeFiles(files: readonly StoredFile[]): string {
  return JSON.stringify(
    files.map(({ component, location, member, size, checksum, extension }) => [component, location, member, size, checksum, extension]),
  );
}

export function readFiles(text: string): StoredFile[] {
  return read(filesShape, text, 'the files of a dataset').map(([component, location, member, size, checksum, extension]) => ({
    component,
    location,
    member,
    size,
    checksum,
    extension,
  }));
}

export function readDimensions(text: string): string[] {
  return read(z.array(z.string()), text, 'the dimensions of a dataset type');
}

export function readFieldNames(text: string): Record<string, string[]> {
  return read(z.record(z.string(), z.array(z.string())), text, 'the fields of dimensions');
}

/** An integer that may lie beyond 2^53, and may be missing. */
export function bigOf(value: Integer | null): bigint | null {
  return value === null ? null : BigInt(value);
}

/** As parameters: not every driver takes a bigint. */
export function parameterOf(value: bigint | null): string | null {
  return value === null ? null : String(value);
}

/** Of a UUID in either form: 32 lower-case digits. Throws `invalid-value`. */
export function uuidText(text: string): string {
  const digits = text.replaceAll('-', '').toLowerCase();
  if (/^[0-9a-f]{32}$/.test(digits)) return digits;
  throw new ButlerfsError('invalid-value', { what: `UUID ${JSON.stringify(text.slice(0, 100))}`, why: 'it has not 32 hexadecimal digits' });
}

function read<T>(shape: z.ZodType<T>, text: string, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ButlerfsError('corrupt-repository', { what, why: 'it is not JSON', cause });
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ButlerfsError('corrupt-repository', { what, why: 'it has another form than this program writes', cause: parsed.error });
}
