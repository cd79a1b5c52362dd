/** SHA-1 of a sky map: the name of its class in lsst.skymap, the numbers that all kinds have, those of the kind; integers and doubles are little-endian. */

import { createHash } from 'node:crypto';
import type { PatchScheme, SkyMapDefinition } from './contract.js';

const classNames: Readonly<Record<SkyMapDefinition['kind'], string>> = {
  rings: 'RingsSkyMap',
  discrete: 'DiscreteSkyMap',
  equat: 'EquatSkyMap',
  dodeca: 'DodecaSkyMap',
  healpix: 'HealpixSkyMap',
};

function patchNumbers(patches: PatchScheme): readonly number[] {
  if (patches.kind === 'legacy') return [...patches.inner, patches.border];
  return [patches.cellInner, patches.cellInner, patches.cellBorder, patches.cellsInner, patches.cellsBorder];
}

function integers(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, index) => bytes.writeInt32LE(number, 4 * index));
  return bytes;
}

function doubles(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 * numbers.length);
  numbers.forEach((number, index) => bytes.writeDoubleLE(number, 8 * index));
  return bytes;
}

export function skyMapDigest(definition: SkyMapDefinition, ofKind: Uint8Array): Uint8Array {
  const { overlap, pixelScale, projection, rotation } = definition;
  return createHash('sha1')
    .update(classNames[definition.kind])
    .update(integers(patchNumbers(definition.patches)))
    .update(doubles(overlap, pixelScale))
    .update(projection, 'ascii')
    .update(doubles(rotation))
    .update(ofKind)
    .digest();
}
