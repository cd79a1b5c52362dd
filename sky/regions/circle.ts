/** Circles: all directions within an angle of a center. */

import { ButlerfsError } from '../../common/errors.js';
import { dot, negate, separation, toLonLat } from '../vector.js';
import type { UnitVector } from '../vector.js';
import { AbstractRegion } from './abstract-region.js';
import { angleError } from './contract.js';
import type { BoundingCircle, LonLatBounds } from './contract.js';
import { boundsRound, fullBounds, noBounds } from './bounds.js';

const typeByte = 0x63;
const encodedBytes = 41;
const unitTolerance = 1e-12;
/** Between the two sizes of an encoded circle; the angle near pi is known no better from the chord. */
const sizeTolerance = 1e-7;

export class Circle extends AbstractRegion {
  readonly kind = 'circle';
  /** Of an empty or a full circle: any. */
  readonly center: UnitVector;
  /** Of chords from the center to the boundary: negative for an empty circle, 4 or more for a full one. */
  readonly squaredChordLength: number;
  /** Radians from the center to the boundary: negative for an empty circle, pi or more for a full one. */
  readonly openingAngle: number;

  private constructor(center: UnitVector, squaredChordLength: number, openingAngle: number) {
    super();
    this.center = center;
    this.squaredChordLength = squaredChordLength;
    this.openingAngle = openingAngle;
  }

  /** Empty where the angle is negative, full where it is pi or more. Throws `invalid-value` for NaN and for a center that has no direction. */
  static around(center: UnitVector, openingAngle: number): Circle {
    if (Number.isNaN(openingAngle)) throw new ButlerfsError('invalid-value', { what: 'a circle', why: 'its opening angle is NaN' });
    if (!isUnit(center))
      throw new ButlerfsError('invalid-value', { what: 'a circle', why: `its center is no unit vector: (${center.join(', ')})` });
    return new Circle(center, squaredChord(openingAngle), openingAngle);
  }

  static readonly empty = new Circle([0, 0, 1], -1, -1);
  static readonly full = new Circle([0, 0, 1], 4, Math.PI);

  get isEmpty(): boolean {
    return this.squaredChordLength < 0;
  }

  /** As sphgeom has it: from some 2e-8 short of pi on, where the chord no longer tells. */
  get isFull(): boolean {
    return this.squaredChordLength >= 4;
  }

  /** What is outside, with the boundary. */
  complement(): Circle {
    if (this.isEmpty) return Circle.full;
    if (this.isFull) return Circle.empty;
    return new Circle(negate(this.center), 4 - this.squaredChordLength, Math.PI - this.openingAngle);
  }

  containsDirection(x: number, y: number, z: number): boolean {
    if (this.isFull) return true;
    const [cx, cy, cz] = this.center;
    if (this.squaredChordLength <= 2) return (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 <= this.squaredChordLength;
    // Chords of nearly pi hardly differ: those to the antipode do.
    const outside = 2 * Math.cos(this.openingAngle / 2);
    return (x + cx) ** 2 + (y + cy) ** 2 + (z + cz) ** 2 >= outside * outside;
  }

  distanceTo(direction: UnitVector): number {
    if (this.isEmpty) return Infinity;
    return this.isFull ? 0 : Math.max(0, separation(this.center, direction) - this.openingAngle);
  }

  containsCircle(center: UnitVector, openingAngle: number): boolean {
    return this.isFull || separation(this.center, center) + openingAngle + angleError <= this.openingAngle;
  }

  boundingCircle(): BoundingCircle {
    return { center: this.center, openingAngle: this.isFull ? Math.PI : this.openingAngle };
  }

  boundingBox(): LonLatBounds {
    if (this.isEmpty) return noBounds;
    if (this.isFull) return fullBounds;
    const { longitude, latitude } = toLonLat(this.center);
    return boundsRound(longitude, latitude, this.openingAngle);
  }

  area(): number {
    return Math.PI * Math.min(4, Math.max(0, this.squaredChordLength));
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(encodedBytes);
    const view = new DataView(bytes.buffer);
    bytes[0] = typeByte;
    [...this.center, this.squaredChordLength, this.openingAngle].forEach((value, index) => view.setFloat64(1 + 8 * index, value, true));
    return bytes;
  }

  /** Bytes as {@link encode} gives them. Throws `invalid-value`. */
  static decode(bytes: Uint8Array): Circle {
    const refused = (why: string): ButlerfsError => new ButlerfsError('invalid-value', { what: 'an encoded circle', why });
    if (bytes[0] !== typeByte || bytes.length !== encodedBytes) throw refused(`it has ${bytes.length} bytes, not ${encodedBytes}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [x, y, z, chord, angle] = [0, 1, 2, 3, 4].map((index) => view.getFloat64(1 + 8 * index, true)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    if (!isUnit([x, y, z])) throw refused(`its center is no unit vector: (${x}, ${y}, ${z})`);
    if (Number.isNaN(chord) || Number.isNaN(angle)) throw refused('its size is NaN');
    const sameSize = Math.abs(angleOfChord(chord) - Math.max(-1, Math.min(Math.PI, angle < 0 ? -1 : angle))) <= sizeTolerance;
    if (!sameSize) throw refused(`its squared chord length ${chord} and its opening angle ${angle} are of different circles`);
    return new Circle([x, y, z], chord, angle);
  }
}

function isUnit(vector: UnitVector): boolean {
  return Math.abs(dot(vector, vector) - 1) < unitTolerance;
}

function squaredChord(angle: number): number {
  if (angle < 0) return -1;
  if (angle >= Math.PI) return 4;
  const sine = Math.sin(0.5 * angle);
  return 4 * sine * sine;
}

function angleOfChord(squared: number): number {
  if (squared < 0) return -1;
  return squared >= 4 ? Math.PI : 2 * Math.asin(0.5 * Math.sqrt(squared));
}
