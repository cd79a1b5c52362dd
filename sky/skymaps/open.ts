/** A sky map from its definition. */

import { ButlerfsError } from '../../common/errors.js';
import type { Patch, SkyMap, SkyMapDefinition, SkyPosition, Tract } from './contract.js';
import { skyMapDigest } from './digest.js';
import { discreteLayout } from './discrete.js';
import { dodecaLayout } from './dodeca.js';
import { equatLayout } from './equat.js';
import { healpixLayout } from './healpix.js';
import { ringsLayout } from './rings.js';
import { makeTract, patchSizes } from './tract.js';
import type { TractLayout } from './tracts.js';

function layoutOf(definition: SkyMapDefinition): TractLayout {
  switch (definition.kind) {
    case 'rings':
      return ringsLayout(definition);
    case 'discrete':
      return discreteLayout(definition);
    case 'equat':
      return equatLayout(definition);
    case 'dodeca':
      return dodecaLayout(definition);
    case 'healpix':
      return healpixLayout(definition);
  }
}

/** Takes its numbers as they are; `parseSkyMapDefinition` of registry/ checks them. Tracts that the projection cannot show throw `unsupported` when they are asked for. */
export function openSkyMap(definition: SkyMapDefinition): SkyMap {
  return new LaidOutSkyMap(definition, layoutOf(definition));
}

class LaidOutSkyMap implements SkyMap {
  readonly definition: SkyMapDefinition;
  readonly tractCount: number;
  readonly digest: Uint8Array;
  readonly #layout: TractLayout;
  readonly #tracts = new Map<number, Tract>();

  constructor(definition: SkyMapDefinition, layout: TractLayout) {
    this.definition = definition;
    this.tractCount = layout.tractCount;
    this.digest = skyMapDigest(definition, layout.digested);
    this.#layout = layout;
  }

  tract(number: number): Tract {
    let tract = this.#tracts.get(number);
    if (tract !== undefined) return tract;
    if (!Number.isInteger(number) || number < 0 || number >= this.tractCount) {
      throw new ButlerfsError('invalid-value', {
        what: `tract ${number}`,
        why: `tracts of this sky map go from 0 to ${this.tractCount - 1}`,
      });
    }
    tract = makeTract(this.#layout.plan(number), this.definition.patches);
    this.#tracts.set(number, tract);
    return tract;
  }

  findTract(position: SkyPosition): Tract {
    return this.tract(this.#layout.find(checked(position)));
  }

  tractsContaining(position: SkyPosition): readonly Tract[] {
    return this.#tractsNear(position, 0).filter((tract) => tract.contains(position));
  }

  patchesContaining(position: SkyPosition): readonly Patch[] {
    const { border } = patchSizes(this.definition.patches);
    return this.#tractsNear(position, border).flatMap((tract) => tract.patchesContaining(position));
  }

  findTractPatchList(positions: readonly SkyPosition[]): ReturnType<SkyMap['findTractPatchList']> {
    const numbers = new Set(positions.flatMap((position) => this.#candidates(position).map(({ tract }) => tract)));
    const found: { tract: Tract; patches: readonly Patch[] }[] = [];
    for (const number of [...numbers].sort((a, b) => a - b)) {
      const tract = this.tract(number);
      const patches = tract.findPatchList(positions);
      if (patches.length > 0) found.push({ tract, patches });
    }
    return found;
  }

  #candidates(position: SkyPosition): readonly Tract[] {
    return this.#layout.halfSide === undefined ? this.#tractsNear(position, 0) : this.tractsContaining(position);
  }

  /** Tracts that may hold the position, or have it within so many pixels of their boxes. */
  #tractsNear(position: SkyPosition, pixels: number): readonly Tract[] {
    const { halfSide } = this.#layout;
    checked(position);
    const { pixelScale, patches, projection } = this.definition;
    const { width, height } = patchSizes(patches);
    // A tract is made longer by less than a patch in each direction, so that patches fill it.
    const margin = ((Math.max(width, height) + pixels + 2) * pixelScale) / 3600;
    // The corner of a square. Near the centre of a projection its plane and the sky agree to a few per cent up to some degrees.
    const reach = halfSide === undefined || projection === 'CEA' ? undefined : (halfSide + margin) * Math.SQRT2 * 1.05;
    const near = reach === undefined || reach > 10 ? undefined : this.#layout.near(position, reach);
    return (near ?? Array.from({ length: this.tractCount }, (_, number) => number)).map((number) => this.tract(number));
  }
}

function checked(position: SkyPosition): SkyPosition {
  const { ra, dec } = position;
  if (Number.isFinite(ra) && Math.abs(dec) <= 90) return position;
  throw new ButlerfsError('invalid-value', {
    what: `position ${ra}, ${dec}`,
    why: 'declinations go from -90 to 90 degrees, and right ascensions are numbers',
  });
}
