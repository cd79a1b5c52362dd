/** Boxes: an interval of longitudes and one of latitudes. */

import { ButlerfsError } from '../../common/errors.js';
import { fromLonLat, separation, tau, wrapLongitude } from '../vector.js';
import type { UnitVector } from '../vector.js';
import { AbstractRegion } from './abstract-region.js';
import { noBounds, widthOf } from './bounds.js';
import { Circle } from './circle.js';
import { angleError } from './contract.js';
import type { BoundingCircle, LonLatBounds } from './contract.js';

const typeByte = 0x62;
const encodedBytes = 33;
const quarter = Math.PI / 2;

export class Box extends AbstractRegion {
  readonly kind = 'box';
  readonly west: number;
  readonly east: number;
  readonly south: number;
  readonly north: number;

  private constructor({ west, east, south, north }: LonLatBounds) {
    super();
    this.west = west;
    this.east = east;
    this.south = south;
    this.north = north;
  }

  /**
   * Longitudes from `west` to `east`: both in [0, 2 pi), or any with `west <= east`; 2 pi apart or more is all round. Latitudes are cut at the poles. Empty where
   * `south` is greater than `north`, or any is NaN. A box that reaches a pole contains it, whatever its longitudes. Throws `invalid-value` for longitudes that
   * are in the wrong order.
   */
  static of({ west, east, south, north }: LonLatBounds): Box {
    if (![west, east, south, north].every((value) => !Number.isNaN(value)) || south > north || south > quarter || north < -quarter)
      return Box.empty;
    const latitudes = { south: Math.max(-quarter, south), north: Math.min(quarter, north) };
    const isNormal = (longitude: number): boolean => longitude >= 0 && longitude < tau;
    if (isNormal(west) && isNormal(east)) return new Box({ west, east, ...latitudes });
    if (west > east || !Number.isFinite(west - east)) {
      throw new ButlerfsError('invalid-value', {
        what: 'a box',
        why: `its longitudes go from ${west} to ${east}`,
        advice: 'give the western one first',
      });
    }
    if (east - west >= tau) return new Box({ west: 0, east: tau, ...latitudes });
    return new Box({ west: wrapLongitude(west), east: wrapLongitude(east), ...latitudes });
  }

  /** With the latitudes that sphgeom writes for it. */
  static readonly empty = new Box({ west: NaN, east: NaN, south: 1, north: 0 });
  static readonly full = new Box({ west: 0, east: tau, south: -quarter, north: quarter });

  get isEmpty(): boolean {
    return Number.isNaN(this.west);
  }

  get isFull(): boolean {
    return this.isAllRound && this.south === -quarter && this.north === quarter;
  }

  get isAllRound(): boolean {
    return this.west === 0 && this.east === tau;
  }

  /** Of its longitudes, radians. */
  get width(): number {
    return widthOf(this);
  }

  containsLongitude(longitude: number): boolean {
    if (this.west <= this.east) return longitude >= this.west && longitude <= this.east;
    return longitude >= this.west || longitude <= this.east;
  }

  containsDirection(x: number, y: number, z: number): boolean {
    const latitude = Math.atan2(z, Math.sqrt(x * x + y * y));
    if (!(latitude >= this.south && latitude <= this.north)) return false;
    return (x === 0 && y === 0) || this.containsLongitude(longitudeOf(x, y));
  }

  distanceTo(direction: UnitVector): number {
    if (this.isEmpty) return Infinity;
    const [x, y, z] = direction;
    if (this.containsLongitude(longitudeOf(x, y))) {
      const latitude = Math.atan2(z, Math.hypot(x, y));
      return Math.max(0, this.south - latitude, latitude - this.north);
    }
    return Math.min(
      distanceToMeridian(direction, this.west, this.south, this.north),
      distanceToMeridian(direction, this.east, this.south, this.north),
    );
  }

  containsCircle(center: UnitVector, openingAngle: number): boolean {
    if (!this.containsDirection(...center)) return false;
    const latitude = Math.atan2(center[2], Math.hypot(center[0], center[1]));
    const reach = openingAngle + angleError;
    if (this.north < quarter && latitude + reach > this.north) return false;
    if (this.south > -quarter && latitude - reach < this.south) return false;
    if (this.isAllRound) return true;
    return [this.west, this.east].every((longitude) => distanceToMeridian(center, longitude, -quarter, quarter) >= reach);
  }

  /** Boxes and circles that together are all that is outside, with boundaries. */
  complement(): (Box | Circle)[] {
    if (this.isEmpty) return [Box.full];
    const parts: (Box | Circle)[] = [];
    if (this.north < quarter) parts.push(Circle.around([0, 0, 1], quarter - this.north));
    if (this.south > -quarter) parts.push(Circle.around([0, 0, -1], quarter + this.south));
    if (this.width === 0) parts.push(Box.full);
    else if (!this.isAllRound) parts.push(new Box({ west: this.east % tau, east: this.west, south: -quarter, north: quarter }));
    return parts;
  }

  corners(): UnitVector[] {
    return [
      fromLonLat(this.west, this.south),
      fromLonLat(this.east, this.south),
      fromLonLat(this.east, this.north),
      fromLonLat(this.west, this.north),
    ];
  }

  boundingCircle(): BoundingCircle {
    if (this.isEmpty) return { center: [1, 0, 0], openingAngle: -1 };
    const middle = this.west + this.width / 2;
    const latitude = (this.south + this.north) / 2;
    const candidates: BoundingCircle[] = [
      { center: [0, 0, 1], openingAngle: quarter - this.south },
      { center: [0, 0, -1], openingAngle: quarter + this.north },
    ];
    for (const center of [fromLonLat(middle, latitude), fromLonLat(middle, 0)]) {
      // The farthest point is the one nearest to the antipode.
      const antipode: UnitVector = [-center[0], -center[1], -center[2]];
      candidates.push({ center, openingAngle: Math.PI - this.distanceTo(antipode) });
    }
    const best = candidates.reduce((least, candidate) => (candidate.openingAngle < least.openingAngle ? candidate : least));
    return { center: best.center, openingAngle: Math.min(Math.PI, best.openingAngle + 2 * angleError) };
  }

  boundingBox(): LonLatBounds {
    if (this.isEmpty) return noBounds;
    const { west, east, south, north } = this;
    return { west, east, south, north };
  }

  area(): number {
    if (this.isEmpty) return 0;
    // sin(north) - sin(south), which would lose the digits of a low box.
    return this.width * 2 * Math.cos((this.north + this.south) / 2) * Math.sin((this.north - this.south) / 2);
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(encodedBytes);
    const view = new DataView(bytes.buffer);
    bytes[0] = typeByte;
    [this.west, this.east, this.south, this.north].forEach((value, index) => view.setFloat64(1 + 8 * index, value, true));
    return bytes;
  }

  /** Bytes as {@link encode} gives them; two longitudes that are NaN are an empty box. Throws `invalid-value`. */
  static decode(bytes: Uint8Array): Box {
    const refused = (why: string): ButlerfsError => new ButlerfsError('invalid-value', { what: 'an encoded box', why });
    if (bytes[0] !== typeByte || bytes.length !== encodedBytes) throw refused(`it has ${bytes.length} bytes, not ${encodedBytes}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const values = [0, 1, 2, 3].map((index) => view.getFloat64(1 + 8 * index, true)) as [number, number, number, number];
    const [west, east, south, north] = values;
    if (Number.isNaN(west) && Number.isNaN(east) && !(south <= north)) return Box.empty;
    if (values.some(Number.isNaN)) throw refused(`some of its bounds are NaN: ${values.join(', ')}`);
    if (!(west >= 0 && west <= tau && east >= 0 && east <= tau)) throw refused(`its longitudes are not in [0, 2 pi]: ${west}, ${east}`);
    if (!(south >= -quarter && north <= quarter && south <= north))
      throw refused(`its latitudes are not in order from -pi/2 to pi/2: ${south}, ${north}`);
    return new Box({ west, east, south, north });
  }
}

/** In [0, 2 pi). */
function longitudeOf(x: number, y: number): number {
  return wrapLongitude(Math.atan2(y, x));
}

/** Radians from a direction to the part of a meridian between two latitudes. */
export function distanceToMeridian(direction: UnitVector, longitude: number, south: number, north: number): number {
  const [cosine, sine] = [Math.cos(longitude), Math.sin(longitude)];
  const outward = cosine * direction[0] + sine * direction[1];
  const aside = cosine * direction[1] - sine * direction[0];
  const latitude = Math.atan2(direction[2], outward);
  if (latitude >= south && latitude <= north) return Math.atan2(Math.abs(aside), Math.hypot(outward, direction[2]));
  return Math.min(separation(direction, fromLonLat(longitude, south)), separation(direction, fromLonLat(longitude, north)));
}
