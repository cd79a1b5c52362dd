/**
 * Arrays in files of numpy: `.npy` (one array, or the columns of a structured one) and `.npz` (a zip file of arrays by name).
 *
 * Source: NEP 1 (numpy.lib.format), versions 1 to 3. One dimension; integers without sign after reading; text as labels, of which there may be 256.
 */

import { readZip, writeZip } from './zip.js';
import { ButlerfsError } from '../common/errors.js';
import type { Column, Columns } from '../sky/packing/contract.js';

const magic = Buffer.from('\x93NUMPY', 'latin1');
/** The header is filled with spaces to a multiple of this. */
const alignment = 64;

/** One element, or one field of a structured one. */
interface Element {
  /** Empty for an array that is not structured. */
  readonly key: string;
  /** `i` and `u`: integers, `U` and `S`: text of so many characters. */
  readonly kind: 'i' | 'u' | 'U' | 'S';
  /** Bytes. */
  readonly size: number;
}

interface Header {
  readonly elements: readonly Element[];
  readonly rows: number;
  readonly body: Buffer;
}

function refuse(where: string, why: string, advice?: string): ButlerfsError {
  return new ButlerfsError('invalid-value', { what: 'an array', where, why, advice });
}

function readHeader(bytes: Buffer, where: string): Header {
  if (bytes.length < 10 || !bytes.subarray(0, magic.length).equals(magic)) throw refuse(where, 'it is no .npy file');
  const isShort = bytes[6] === 1;
  const start = isShort ? 10 : 12;
  const end = start + (isShort ? bytes.readUInt16LE(8) : bytes.length < 12 ? 0 : bytes.readUInt32LE(8));
  if (bytes[6]! > 3 || end > bytes.length) throw refuse(where, 'its header is cut off, or of a version that is not known');
  const header = bytes.toString('utf8', start, end);
  const shape = /'shape':\s*\((\d+),\s*\)/.exec(header);
  if (shape === null) throw refuse(where, 'it has not one dimension');
  const rows = Number(shape[1]);
  const elements = readDescription(header, where);
  const body = bytes.subarray(end);
  const width = elements.reduce((sum, { size }) => sum + size, 0);
  if (body.length < rows * width) throw refuse(where, `it is cut off: ${rows} rows of ${width} bytes, and ${body.length} bytes`);
  return { elements, rows, body };
}

function readDescription(header: string, where: string): readonly Element[] {
  const simple = /'descr':\s*'([^']+)'/.exec(header);
  if (simple !== null) return [elementOf('', simple[1]!, where)];
  const list = /'descr':\s*\[(.*?)\]/s.exec(header);
  const fields = [...(list?.[1] ?? '').matchAll(/\(\s*'([^']*)',\s*'([^']+)'\s*\)/g)];
  if (fields.length === 0) throw refuse(where, 'its elements are neither integers, text, nor records of these');
  return fields.map(([, key, type]) => elementOf(key!, type!, where));
}

function elementOf(key: string, type: string, where: string): Element {
  const found = /^([<|>=])([iuUS])(\d+)$/.exec(type);
  const [order, kind, size] = [found?.[1], found?.[2] as Element['kind'] | undefined, Number(found?.[3])];
  const isBig = order === '>' && kind !== 'S' && !(kind !== 'U' && size === 1);
  if (found === null || kind === undefined || isBig || ('iu'.includes(kind) && ![1, 2, 4, 8].includes(size))) {
    throw refuse(
      where,
      `elements of type '${type}'${key === '' ? '' : ` (${key})`} are not read`,
      'integers are: <i4, <i8, <u8 and the like, and text: <U8, |S8',
    );
  }
  return { key, kind, size: kind === 'U' ? size * 4 : size };
}

/** Columns by key; the key of an array that is not structured is empty. `where` is for messages. Throws `invalid-value`. */
export function readNpy(bytes: Buffer, where: string): Columns {
  const { elements, rows, body } = readHeader(bytes, where);
  const stride = elements.reduce((sum, { size }) => sum + size, 0);
  const columns: [string, Column][] = [];
  let offset = 0;
  for (const element of elements) {
    const place = element.key === '' ? where : `${element.key} of ${where}`;
    columns.push([
      element.key,
      element.kind === 'i' || element.kind === 'u'
        ? readIntegers(element, body, offset, stride, rows, place)
        : readText(element, body, offset, stride, rows, place),
    ]);
    offset += element.size;
  }
  return Object.fromEntries(columns);
}

function readIntegers({ kind, size }: Element, body: Buffer, offset: number, stride: number, rows: number, where: string): Column {
  const column = size === 8 ? new BigUint64Array(rows) : new Uint32Array(rows);
  const bytes = Buffer.from(column.buffer);
  const width = column.BYTES_PER_ELEMENT;
  if (stride === size && size === width) body.copy(bytes, 0, 0, rows * size);
  else {
    for (let row = 0; row < rows; row++) {
      const from = row * stride + offset;
      for (let byte = 0; byte < size; byte++) bytes[row * width + byte] = body[from + byte]!;
    }
  }
  if (kind === 'i') {
    for (let row = 0; row < rows; row++) {
      if (body[row * stride + offset + size - 1]! < 128) continue;
      throw refuse(where, `row ${row} is negative`);
    }
  }
  return column;
}

function readText({ kind, size }: Element, body: Buffer, offset: number, stride: number, rows: number, where: string): Column {
  const codes = new Uint8Array(rows);
  const known = new Map<string, number>();
  for (let row = 0; row < rows; row++) {
    const from = row * stride + offset;
    const raw = body.toString('latin1', from, from + size);
    let code = known.get(raw);
    if (code === undefined) {
      if (known.size === 256) throw refuse(where, 'it has more than 256 different texts');
      known.set(raw, (code = known.size));
    }
    codes[row] = code;
  }
  return { codes, labels: [...known.keys()].map((raw) => textOf(Buffer.from(raw, 'latin1'), kind)) };
}

function textOf(bytes: Buffer, kind: Element['kind']): string {
  if (kind === 'S') return bytes.toString('utf8').replace(/\0+$/, '');
  const points = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i)).filter((point) => point !== 0);
  return points.map((point) => (point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd')).join('');
}

function typeOf(column: Column): Element {
  if (column instanceof Uint32Array) return { key: '', kind: 'u', size: 4 };
  if (column instanceof BigUint64Array) return { key: '', kind: 'u', size: 8 };
  return { key: '', kind: 'U', size: 4 * Math.max(1, ...column.labels.map((label) => [...label].length)) };
}

function typeText({ kind, size }: Element): string {
  return `'<${kind}${kind === 'U' ? size / 4 : size}'`;
}

/** The bytes of each row of a column, next to each other. */
function bodyOf(column: Column, { size }: Element): Buffer {
  if (!('codes' in column)) return Buffer.from(column.buffer, column.byteOffset, column.byteLength);
  const texts = column.labels.map((label) => {
    const text = Buffer.alloc(size);
    [...label].forEach((character, i) => text.writeUInt32LE(character.codePointAt(0)!, 4 * i));
    return text;
  });
  const body = Buffer.alloc(size * column.codes.length);
  column.codes.forEach((code, row) => texts[code]!.copy(body, row * size));
  return body;
}

function headerOf(description: string, rows: number): Buffer {
  const text = `{'descr': ${description}, 'fortran_order': False, 'shape': (${rows},), }`;
  const length = Math.ceil((10 + text.length + 1) / alignment) * alignment - 10;
  const header = Buffer.alloc(10 + length, ' ');
  magic.copy(header);
  header.set([1, 0], 6);
  header.writeUInt16LE(length, 8);
  header.write(text, 10, 'latin1');
  header[header.length - 1] = 0x0a;
  return header;
}

/** One array. */
export function writeNpy(column: Column): Buffer {
  const element = typeOf(column);
  const body = bodyOf(column, element);
  return Buffer.concat([headerOf(typeText(element), body.length / element.size), body]);
}

/** A structured array; its columns are of one length. */
export function writeStructuredNpy(columns: Columns): Buffer {
  const fields = Object.entries(columns).map(([key, column]) => {
    const element = typeOf(column);
    return { key, element, body: bodyOf(column, element) };
  });
  const stride = fields.reduce((sum, { element }) => sum + element.size, 0);
  const rows = fields.length === 0 ? 0 : fields[0]!.body.length / fields[0]!.element.size;
  const body = Buffer.alloc(rows * stride);
  let offset = 0;
  for (const { element, body: own } of fields) {
    const { size } = element;
    for (let row = 0; row < rows; row++) {
      for (let byte = 0; byte < size; byte++) body[row * stride + offset + byte] = own[row * size + byte]!;
    }
    offset += size;
  }
  const description = `[${fields.map(({ key, element }) => `('${key}', ${typeText(element)})`).join(', ')}]`;
  return Buffer.concat([headerOf(description, rows), body]);
}

/** Arrays by their names. Throws `invalid-value`. */
export async function readNpz(bytes: Buffer, where: string): Promise<Columns> {
  const columns: [string, Column][] = [];
  for (const { name, content } of await readZip(bytes, where)) {
    const key = name.replace(/\.npy$/, '');
    const column = readNpy(content, `${key} of ${where}`)[''];
    if (column === undefined) throw refuse(`${key} of ${where}`, 'it is a structured array');
    columns.push([key, column]);
  }
  return Object.fromEntries(columns);
}

export function writeNpz(columns: Columns): Buffer {
  return writeZip(Object.entries(columns).map(([key, column]) => ({ name: `${key}.npy`, content: writeNpy(column) })));
}
