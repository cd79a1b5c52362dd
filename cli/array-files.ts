/** Files of numpy that `butlerfs pack` and `butlerfs unpack` read and make. */

import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { readNpy, readNpz, writeNpy, writeNpz, writeStructuredNpy } from './npy.js';
import { writeFileAtomically } from '../common/atomic.js';
import { ButlerfsError } from '../common/errors.js';
import type { Columns } from '../sky/packing/contract.js';

function kindOf(file: string): '.npy' | '.npz' {
  const extension = extname(file).toLowerCase();
  if (extension === '.npy' || extension === '.npz') return extension;
  throw new ButlerfsError('usage', { what: `'${file}' is neither .npy nor .npz` });
}

async function contentOf(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new ButlerfsError('usage', {
      what: `${file} cannot be read`,
      why: error instanceof Error ? error.message : String(error),
      cause: error,
    });
  }
}

/** Columns by key. Throws `invalid-value` for what is no file of numpy, and `usage` for one that cannot be read or has no keys. */
export async function readDataIds(file: string): Promise<Columns> {
  const kind = kindOf(file);
  const bytes = await contentOf(file);
  const columns = kind === '.npz' ? await readNpz(bytes, file) : readNpy(bytes, file);
  if (columns[''] === undefined) return columns;
  throw new ButlerfsError('invalid-value', {
    what: 'an array without keys',
    where: file,
    advice: "give a structured array, np.array(..., dtype=[('tract', '<i4'), ('patch', '<i4')]), or a .npz file with an array for each key",
  });
}

/** The one array of a file. */
export async function readPacked(file: string): Promise<BigUint64Array> {
  const kind = kindOf(file);
  const bytes = await contentOf(file);
  const columns = Object.values(kind === '.npz' ? await readNpz(bytes, file) : readNpy(bytes, file));
  const [column] = columns;
  if (column === undefined || columns.length > 1 || 'codes' in column) {
    throw new ButlerfsError('invalid-value', { what: 'packed integers', where: file, why: 'it has not one array of integers' });
  }
  return column instanceof BigUint64Array ? column : BigUint64Array.from(column, BigInt);
}

/** Complete or not at all. */
export async function writeDataIds(file: string, columns: Columns): Promise<void> {
  await writeFileAtomically(file, kindOf(file) === '.npz' ? writeNpz(columns) : writeStructuredNpy(columns), 0o644);
}

export async function writePacked(file: string, packed: BigUint64Array): Promise<void> {
  await writeFileAtomically(file, kindOf(file) === '.npz' ? writeNpz({ packed }) : writeNpy(packed), 0o644);
}
