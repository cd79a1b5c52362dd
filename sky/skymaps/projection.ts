/**
 * Pixels and the sky: the projections TAN, STG and CEA of FITS.
 *
 * Source: Calabretta & Greisen 2002 (FITS WCS paper II). Native poles are where its defaults (LONPOLE, LATPOLE) put them; CEA is centred on the equator.
 */

import { ButlerfsError } from '../../common/errors.js';
import { degree, fromLonLat, toLonLat } from '../vector.js';
import type { UnitVector, Vector } from '../vector.js';
import type { CelestialWcs, PixelBox, PixelPosition, ProjectionCode, SkyPosition } from './contract.js';

export function vectorOf({ ra, dec }: SkyPosition): UnitVector {
  return fromLonLat(ra * degree, dec * degree);
}

/** Of a vector of any length but 0. */
export function positionOf(vector: Vector): SkyPosition {
  const { longitude, latitude } = toLonLat(vector);
  return { ra: wrapDegrees(longitude / degree), dec: latitude / degree };
}

/** Into [0, 360). */
export function wrapDegrees(angle: number): number {
  const wrapped = angle % 360;
  // What lies less than a rounding below 0 would come out as 360.
  return wrapped < 0 ? (wrapped + 360) % 360 : wrapped;
}

/** East and north on the sky at a point: unit vectors at right angles to it. */
export function tangentsAt({ ra, dec }: SkyPosition): { readonly east: UnitVector; readonly north: UnitVector } {
  const [cosRa, sinRa] = [Math.cos(ra * degree), Math.sin(ra * degree)];
  const [cosDec, sinDec] = [Math.cos(dec * degree), Math.sin(dec * degree)];
  return { east: [-sinRa, cosRa, 0], north: [-sinDec * cosRa, -sinDec * sinRa, cosDec] };
}

/** The point that lies `distance` degrees away in the direction `bearing` (from east through north, degrees). */
export function offsetBy(from: SkyPosition, bearing: number, distance: number): UnitVector {
  const { east, north } = tangentsAt(from);
  const [along, up] = [Math.cos(bearing * degree), Math.sin(bearing * degree)];
  const [near, far] = [Math.cos(distance * degree), Math.sin(distance * degree)];
  const centre = vectorOf(from);
  const component = (i: 0 | 1 | 2): number => near * centre[i] + far * (along * east[i] + up * north[i]);
  return [component(0), component(1), component(2)];
}

/** The matrix of square pixels: `scale` degrees each, +y at position angle `rotation` (degrees, north through east), +x to the west of it. */
export function squarePixels(scale: number, rotation: number): CelestialWcs['cd'] {
  const [cos, sin] = [Math.cos(rotation * degree), Math.sin(rotation * degree)];
  return [
    [-cos * scale, sin * scale],
    [sin * scale, cos * scale],
  ];
}

/** A plane about the reference; radians east and north of it. */
interface Plane {
  toVector(eastward: number, northward: number): UnitVector | undefined;
  fromVector(vector: UnitVector): readonly [eastward: number, northward: number] | undefined;
}

function zenithal(
  reference: SkyPosition,
  ahead: (squared: number) => number,
  scale: (cosine: number) => number | undefined,
  back: (squared: number) => number,
): Plane {
  const centre = vectorOf(reference);
  const tangents = tangentsAt(reference);
  // The default of LONPOLE is 0, not 180, where the reference is the pole itself: the plane is turned by half.
  const turn = reference.dec >= 90 ? -1 : 1;
  const [e0, e1, e2] = tangents.east.map((component) => component * turn) as unknown as UnitVector;
  const [n0, n1, n2] = tangents.north.map((component) => component * turn) as unknown as UnitVector;
  const [c0, c1, c2] = centre;
  return {
    toVector: (eastward, northward) => {
      const squared = eastward * eastward + northward * northward;
      const [forward, sideways] = [ahead(squared), back(squared)];
      return [
        forward * c0 + sideways * (eastward * e0 + northward * n0),
        forward * c1 + sideways * (eastward * e1 + northward * n1),
        forward * c2 + sideways * (eastward * e2 + northward * n2),
      ];
    },
    fromVector: ([x, y, z]) => {
      const factor = scale(x * c0 + y * c1 + z * c2);
      return factor === undefined ? undefined : [factor * (x * e0 + y * e1 + z * e2), factor * (x * n0 + y * n1 + z * n2)];
    },
  };
}

/** Cosines of distances below this are taken for none: further away, rounding has the pixel. */
const leastCosine = 1e-10;

function planeAbout(projection: ProjectionCode, reference: SkyPosition): Plane {
  switch (projection) {
    case 'TAN': {
      const slant = (squared: number): number => 1 / Math.sqrt(1 + squared);
      return zenithal(reference, slant, (cosine) => (cosine > leastCosine ? 1 / cosine : undefined), slant);
    }
    case 'STG':
      return zenithal(
        reference,
        (squared) => (1 - squared / 4) / (1 + squared / 4),
        (cosine) => (1 + cosine > leastCosine ? 2 / (1 + cosine) : undefined),
        (squared) => 1 / (1 + squared / 4),
      );
    case 'CEA':
      return equalArea(reference);
  }
}

function equalArea({ ra, dec }: SkyPosition): Plane {
  if (dec !== 0) {
    throw new ButlerfsError('unsupported', {
      what: `projection CEA about declination ${dec}`,
      why: 'it is about the equator only',
      advice: 'sky maps of the kind equat have such tracts',
    });
  }
  return {
    toVector: (eastward, northward) => {
      if (Math.abs(northward) > 1 || Math.abs(eastward) > Math.PI) return undefined;
      const cosDec = Math.sqrt((1 - northward) * (1 + northward));
      const angle = ra * degree + eastward;
      return [cosDec * Math.cos(angle), cosDec * Math.sin(angle), northward];
    },
    fromVector: ([x, y, z]) => {
      const turned = Math.atan2(y, x) - ra * degree;
      return [turned - 2 * Math.PI * Math.round(turned / (2 * Math.PI)), z];
    },
  };
}

/** Throws `unsupported` for CEA off the equator. */
export function celestialWcs(
  projection: ProjectionCode,
  reference: SkyPosition,
  referencePixel: PixelPosition,
  cd: CelestialWcs['cd'],
): CelestialWcs {
  const plane = planeAbout(projection, reference);
  const [[a, b], [c, d]] = cd;
  const determinant = a * d - b * c;
  const pixelToVector = ({ x, y }: PixelPosition): UnitVector | undefined => {
    const [i, j] = [x - referencePixel.x, y - referencePixel.y];
    return plane.toVector((a * i + b * j) * degree, (c * i + d * j) * degree);
  };
  const vectorToPixel = (vector: UnitVector): PixelPosition | undefined => {
    const point = plane.fromVector(vector);
    if (point === undefined) return undefined;
    const [east, north] = [point[0] / degree, point[1] / degree];
    return {
      x: referencePixel.x + (d * east - b * north) / determinant,
      y: referencePixel.y + (a * north - c * east) / determinant,
    };
  };
  return {
    projection,
    reference,
    referencePixel,
    cd,
    pixelToVector,
    vectorToPixel,
    pixelToSky: (pixel) => {
      const vector = pixelToVector(pixel);
      return vector === undefined ? undefined : positionOf(vector);
    },
    skyToPixel: (position) => vectorToPixel(vectorOf(position)),
  };
}

/** Keywords of a FITS header for an image of the box, in their usual order; angles in degrees. */
export function fitsKeywords(wcs: CelestialWcs, box: PixelBox): Readonly<Record<string, string | number>> {
  const [[cd11, cd12], [cd21, cd22]] = wcs.cd;
  const isPole = wcs.projection !== 'CEA' && wcs.reference.dec >= 90;
  return {
    NAXIS: 2,
    NAXIS1: box.maxX - box.minX + 1,
    NAXIS2: box.maxY - box.minY + 1,
    WCSAXES: 2,
    RADESYS: 'ICRS',
    CTYPE1: `RA---${wcs.projection}`,
    CTYPE2: `DEC--${wcs.projection}`,
    CUNIT1: 'deg',
    CUNIT2: 'deg',
    CRVAL1: wcs.reference.ra,
    CRVAL2: wcs.reference.dec,
    // FITS counts the first pixel as 1.
    CRPIX1: wcs.referencePixel.x - box.minX + 1,
    CRPIX2: wcs.referencePixel.y - box.minY + 1,
    CD1_1: cd11,
    CD1_2: cd12,
    CD2_1: cd21,
    CD2_2: cd22,
    LONPOLE: isPole || wcs.projection === 'CEA' ? 0 : 180,
  };
}
