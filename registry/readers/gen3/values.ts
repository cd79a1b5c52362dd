/** Values of a registry as records have them. */

import type { DataIdValue } from '../../contract.js';

/** Of a key; integers come as bigint. */
export function dataIdValue(value: unknown): DataIdValue {
  return typeof value === 'bigint' ? Number(value) : String(value);
}

/** Of a field of a dimension record: what is beyond 2^53 stays a bigint, bytes become base64. */
export function fieldValue(value: unknown): DataIdValue | bigint | null {
  if (typeof value === 'bigint') return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value;
  if (typeof value === 'number' || typeof value === 'string') return value;
  return Buffer.isBuffer(value) ? value.toString('base64') : null;
}
