/** Unions and intersections of regions. */

import { ButlerfsError } from '../../common/errors.js';
import { normalize, scale, separation, sum } from '../vector.js';
import type { UnitVector } from '../vector.js';
import { AbstractRegion } from './abstract-region.js';
import { boundsOfBoth, fullBounds, noBounds } from './bounds.js';
import { angleError } from './contract.js';
import type { BoundingCircle, LonLatBounds } from './contract.js';
import { areDisjoint, containsRegion } from './relations.js';
import type { AnyRegion } from './relations.js';

const lengthBytes = 8;

abstract class Compound extends AbstractRegion {
  readonly members: readonly AnyRegion[];

  protected constructor(members: readonly AnyRegion[]) {
    super();
    this.members = members;
  }

  protected abstract readonly typeByte: number;

  encode(): Uint8Array {
    const parts = this.members.map((member) => member.encode());
    const bytes = new Uint8Array(parts.reduce((size, part) => size + lengthBytes + part.length, 1));
    const view = new DataView(bytes.buffer);
    bytes[0] = this.typeByte;
    let at = 1;
    for (const part of parts) {
      view.setBigUint64(at, BigInt(part.length), true);
      bytes.set(part, at + lengthBytes);
      at += lengthBytes + part.length;
    }
    return bytes;
  }
}

/** What lies in any of its members. It contains a region where one of its members does: that several together do is not seen. */
export class UnionRegion extends Compound {
  readonly kind = 'union';
  protected readonly typeByte = 0x75;

  /** Unions among the members give way to their own. Without members it is empty. */
  static of(members: readonly AnyRegion[]): UnionRegion {
    return new UnionRegion(members.flatMap((member) => (member.kind === 'union' ? member.members : [member])));
  }

  get isEmpty(): boolean {
    return this.members.every((member) => member.isEmpty);
  }

  get isFull(): boolean {
    return this.members.some((member) => member.isFull);
  }

  containsDirection(x: number, y: number, z: number): boolean {
    return this.members.some((member) => member.containsDirection(x, y, z));
  }

  distanceTo(direction: UnitVector): number {
    return this.members.reduce((least, member) => Math.min(least, member.distanceTo(direction)), Infinity);
  }

  containsCircle(center: UnitVector, openingAngle: number): boolean {
    return this.members.some((member) => member.containsCircle(center, openingAngle));
  }

  boundingCircle(): BoundingCircle {
    const circles = this.members.filter((member) => !member.isEmpty).map((member) => member.boundingCircle());
    return circles.reduce(circleRoundBoth, { center: [0, 0, 1], openingAngle: -1 });
  }

  boundingBox(): LonLatBounds {
    return this.members.map((member) => member.boundingBox()).reduce(boundsOfBoth, noBounds);
  }

  area(): number {
    this.members.forEach((member, index) => {
      for (const other of this.members.slice(index + 1)) if (!areDisjoint(member, other)) throw noArea('union');
    });
    return this.members.reduce((total, member) => total + member.area(), 0);
  }
}

/**
 * What lies in all of its members. Two of its members that are disjoint make it empty; that three or more have no point in common is not seen, nor that it is disjoint
 * from what all of its members meet.
 */
export class IntersectionRegion extends Compound {
  readonly kind = 'intersection';
  protected readonly typeByte = 0x69;
  #isEmpty: boolean | undefined;

  /** Intersections among the members give way to their own. Without members it is full. */
  static of(members: readonly AnyRegion[]): IntersectionRegion {
    return new IntersectionRegion(members.flatMap((member) => (member.kind === 'intersection' ? member.members : [member])));
  }

  get isEmpty(): boolean {
    this.#isEmpty ??= this.members.some(
      (member, index) => member.isEmpty || this.members.slice(index + 1).some((other) => areDisjoint(member, other)),
    );
    return this.#isEmpty;
  }

  get isFull(): boolean {
    return this.members.every((member) => member.isFull);
  }

  containsDirection(x: number, y: number, z: number): boolean {
    return this.members.every((member) => member.containsDirection(x, y, z));
  }

  distanceTo(direction: UnitVector): number {
    return this.members.reduce((most, member) => Math.max(most, member.distanceTo(direction)), 0);
  }

  containsCircle(center: UnitVector, openingAngle: number): boolean {
    return this.members.every((member) => member.containsCircle(center, openingAngle));
  }

  boundingCircle(): BoundingCircle {
    if (this.isEmpty) return { center: [0, 0, 1], openingAngle: -1 };
    const circles = this.members.map((member) => member.boundingCircle());
    return circles.reduce((least, circle) => (circle.openingAngle < least.openingAngle ? circle : least), {
      center: [0, 0, 1],
      openingAngle: Math.PI,
    });
  }

  boundingBox(): LonLatBounds {
    if (this.isEmpty) return noBounds;
    const boxes = this.members.map((member) => member.boundingBox());
    return boxes.reduce((least, box) => (areaWithin(box) < areaWithin(least) ? box : least), fullBounds);
  }

  area(): number {
    if (this.isEmpty) return 0;
    const least = this.members.find((member) => this.members.every((other) => containsRegion(other, member)));
    if (least === undefined && this.members.length > 0) throw noArea('intersection');
    return least?.area() ?? 4 * Math.PI;
  }
}

function noArea(kind: string): ButlerfsError {
  const why = 'its members overlap in part';
  return new ButlerfsError('unsupported', {
    what: `the area of a region that is a ${kind}`,
    why,
    advice: 'sum over the pixels of its interior',
  });
}

function areaWithin({ west, east, south, north }: LonLatBounds): number {
  return (west <= east ? east - west : east - west + 2 * Math.PI) * (Math.sin(north) - Math.sin(south));
}

function circleRoundBoth(a: BoundingCircle, b: BoundingCircle): BoundingCircle {
  if (a.openingAngle < 0) return b;
  const apart = separation(a.center, b.center);
  if (apart + b.openingAngle <= a.openingAngle) return a;
  if (apart + a.openingAngle <= b.openingAngle) return b;
  const openingAngle = (apart + a.openingAngle + b.openingAngle) / 2 + 2 * angleError;
  if (openingAngle >= Math.PI || apart > 3)
    return { center: a.center, openingAngle: Math.min(Math.PI, apart + b.openingAngle + 2 * angleError) };
  // On the great circle through both centers.
  const share = (openingAngle - a.openingAngle) / apart;
  const middle = sum([scale(a.center, Math.sin((1 - share) * apart)), scale(b.center, Math.sin(share * apart))]);
  const center = normalize(middle);
  return {
    center,
    openingAngle: Math.max(separation(center, a.center) + a.openingAngle, separation(center, b.center) + b.openingAngle) + angleError,
  };
}
