/** What both pixelisations do alike: the pixels of unions and intersections are those of their members. */

import { ButlerfsError } from '../../common/errors.js';
import type { UnitVector } from '../vector.js';
import type { PixelRanges, Pixelisation, Region } from './contract.js';
import type { ConvexPolygon } from './convex-polygon.js';
import { RangeGatherer, fewerRanges, intersectionOfRanges, unionOfRanges } from './pixel-ranges.js';
import type { AnyRegion, SimpleRegion } from './relations.js';

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
  /** Gives the pixels of a region that is neither empty nor full to the gatherer, in order. */
  protected abstract gather(region: SimpleRegion, gatherer: RangeGatherer, isInterior: boolean): void;

  envelope(region: Region, maxRanges?: number): PixelRanges {
    return this.#pixels(region as AnyRegion, maxRanges, false);
  }

  interior(region: Region, maxRanges?: number): PixelRanges {
    return this.#pixels(region as AnyRegion, maxRanges, true);
  }

  #pixels(region: AnyRegion, maxRanges: number | undefined, isInterior: boolean): PixelRanges {
    if (region.isEmpty) return [];
    if (region.isFull) return this.universe;
    if (region.kind !== 'union' && region.kind !== 'intersection') {
      const gatherer = new RangeGatherer(this.level, maxRanges, isInterior);
      this.gather(region, gatherer, isInterior);
      return gatherer.ranges();
    }
    const members = region.members.map((member) => this.#pixels(member, undefined, isInterior));
    const together = region.kind === 'union' ? unionOfRanges(members) : members.reduce(intersectionOfRanges, this.universe);
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
