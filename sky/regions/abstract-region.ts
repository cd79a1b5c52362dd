/** What all kinds of regions do alike. */

import type { UnitVector } from '../vector.js';
import type { BoundingCircle, LonLatBounds, PixelRanges, Pixelisation, Region, RegionKind, Relationship } from './contract.js';
import { areDisjoint, containsRegion } from './relations.js';
import type { AnyRegion } from './relations.js';

export abstract class AbstractRegion implements Region {
  abstract readonly kind: RegionKind;
  abstract readonly isEmpty: boolean;
  abstract readonly isFull: boolean;

  abstract containsDirection(x: number, y: number, z: number): boolean;
  /** Radians from a direction to the nearest point of the region: 0 inside, infinite where the region is empty. Of an intersection: not more than that. */
  abstract distanceTo(direction: UnitVector): number;
  /** Whether the circle is certainly inside. */
  abstract containsCircle(center: UnitVector, openingAngle: number): boolean;
  abstract boundingCircle(): BoundingCircle;
  abstract boundingBox(): LonLatBounds;
  abstract area(): number;
  abstract encode(): Uint8Array;

  contains(other: UnitVector | Region): boolean {
    if (isRegion(other)) return containsRegion(known(this), known(other));
    return this.containsDirection(other[0], other[1], other[2]);
  }

  intersects(other: Region): boolean {
    return !areDisjoint(known(this), known(other));
  }

  isDisjointFrom(other: Region): boolean {
    return areDisjoint(known(this), known(other));
  }

  isWithin(other: Region): boolean {
    return containsRegion(known(other), known(this));
  }

  relate(other: Region): Relationship {
    return { disjoint: this.isDisjointFrom(other), contains: this.contains(other), within: this.isWithin(other) };
  }

  envelope(pixelisation: Pixelisation, maxRanges?: number): PixelRanges {
    return pixelisation.envelope(this, maxRanges);
  }

  interior(pixelisation: Pixelisation, maxRanges?: number): PixelRanges {
    return pixelisation.interior(this, maxRanges);
  }
}

function isRegion(other: UnitVector | Region): other is Region {
  return 'kind' in other;
}

/** Every region is of one of the kinds that are here. */
function known(region: Region): AnyRegion {
  return region as AnyRegion;
}
