/** What both pixelisations do alike: the pixels of unions and intersections are those of their members. */

import { ButlerfsError } from '../../common/errors.js';
import type { UnitVector } from '../vector.js';
import type { PixelRanges, Pixelisation, Region } from './contract.js';
import type { ConvexPolygon } from './convex-polygon.js';
import { RangeGatherer, fewerRanges, intersectionOfRanges, unionOfRanges } from './pixel-ranges.js';
import type { AnyRegion, SimpleRegion } from './relations.js';

/** Ranges that are found of each member of a union or an intersection, for each that is wanted in the end. */
const spareOfMembers = 16;

export abstract class AbstractPixelisation implements Pixelisation {
  abstract readonly name: string;
  abstract readonly universe: readonly [first: number, end: number];
  readonly level: number;

  protected constructor(kind: string, level: number, deepest: number) {
    if (!Number.isInteger(level) || level < 0 || level > deepest) {
      throw new ButlerfsError('invalid-value', {
        what: `${kind} pixels of level ${level}`,
        why: `levels are integers from 0 to ${deepest}`,
      });
    }
    this.level = level;
  }

  abstract index(direction: UnitVector): number;
  abstract pixel(index: number): ConvexPolygon;
  /** Gives the pixels of a region that is neither empty nor full, as far as they are wanted, to the gatherer, in order. */
  protected abstract gather(region: SimpleRegion, gatherer: RangeGatherer, isInterior: boolean): void;

  envelope(region: Region, maxRanges?: number): PixelRanges {
    return this.#pixels(region as AnyRegion, maxRanges, false);
  }

  interior(region: Region, maxRanges?: number): PixelRanges {
    return this.#pixels(region as AnyRegion, maxRanges, true);
  }

  /** `within`: other pixels are of no interest, and may be left out. */
  #pixels(region: AnyRegion, maxRanges: number | undefined, isInterior: boolean, within?: PixelRanges): PixelRanges {
    if (region.isEmpty || within?.length === 0) return [];
    if (region.isFull) return within ?? this.universe;
    if (region.kind !== 'union' && region.kind !== 'intersection') {
      const gatherer = new RangeGatherer(this.level, maxRanges, isInterior, within);
      this.gather(region, gatherer, isInterior);
      return gatherer.ranges();
    }
    const most = maxRanges === undefined ? undefined : spareOfMembers * maxRanges;
    if (region.kind === 'union') {
      const members = region.members.map((member) => this.#pixels(member, most, isInterior, within));
      return fewerRanges(unionOfRanges(members), maxRanges ?? Infinity, isInterior);
    }
    // The smallest first: the border of a large one is followed only where it matters.
    const size = (member: AnyRegion): number => member.boundingCircle().openingAngle;
    const smallestFirst = [...region.members].sort((a, b) => size(a) - size(b));
    const together = smallestFirst.reduce(
      (ranges, member) => intersectionOfRanges(ranges, this.#pixels(member, most, isInterior, ranges)),
      within ?? this.universe,
    );
    return fewerRanges(together, maxRanges ?? Infinity, isInterior);
  }

  protected checked(index: number): number {
    const [first, end] = this.universe;
    if (Number.isSafeInteger(index) && index >= first && index < end) return index;
    throw new ButlerfsError('invalid-value', {
      what: `pixel ${index} of ${this.name}`,
      why: `its pixels are the integers from ${first} to ${end - 1}`,
    });
  }
}
