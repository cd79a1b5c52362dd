/**
 * Convex polygons on the sky: whether two of them overlap.
 *
 * Source of the encoding: LSST sphgeom, ConvexPolygon: the letter `p`, then x, y, z of each vertex as little-endian float64 of unit vectors; in registries as
 * base64 text. Source of the triangles: the Hierarchical Triangular Mesh (Kunszt, Szalay & Thakar 2001), numbered as sphgeom does.
 */

export type UnitVector = readonly [x: number, y: number, z: number];

/** Vertices in order round the polygon, three or more; less than a hemisphere. */
export type ConvexPolygon = readonly UnitVector[];

const vectorBytes = 24;

/** Undefined for what is no convex polygon: another kind of region, or no region. */
export function decodeConvexPolygon(base64: string): ConvexPolygon | undefined {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes[0] !== 0x70 || bytes.length < 1 + 3 * vectorBytes || (bytes.length - 1) % vectorBytes !== 0) return undefined;
  const vertices: UnitVector[] = [];
  for (let at = 1; at < bytes.length; at += vectorBytes) {
    const vertex: UnitVector = [bytes.readDoubleLE(at), bytes.readDoubleLE(at + 8), bytes.readDoubleLE(at + 16)];
    if (!vertex.every(Number.isFinite)) return undefined;
    vertices.push(vertex);
  }
  return vertices;
}

function dot(a: UnitVector, b: UnitVector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: UnitVector, b: UnitVector): UnitVector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function sum(vectors: readonly UnitVector[]): UnitVector {
  return vectors.reduce<UnitVector>((total, vector) => [total[0] + vector[0], total[1] + vector[1], total[2] + vector[2]], [0, 0, 0]);
}

function unit(vector: UnitVector): UnitVector {
  const length = Math.hypot(...vector);
  return [vector[0] / length, vector[1] / length, vector[2] / length];
}

/** Two polygons that touch overlap. They are apart where the great circle of an edge of one has the other on its far side. */
export function polygonsOverlap(a: ConvexPolygon, b: ConvexPolygon): boolean {
  return !isParted(a, b) && !isParted(b, a);
}

function isParted(polygon: ConvexPolygon, other: ConvexPolygon): boolean {
  const middle = sum(polygon);
  return polygon.some((vertex, index) => {
    const normal = cross(vertex, polygon[(index + 1) % polygon.length]!);
    // Either orientation is taken: inside is where the middle is.
    const inside = Math.sign(dot(normal, middle));
    return other.every((point) => dot(normal, point) * inside < 0);
  });
}

const [x, y, z]: readonly UnitVector[] = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];
const [minusX, minusY, minusZ]: readonly UnitVector[] = [
  [-1, 0, 0],
  [0, -1, 0],
  [0, 0, -1],
];
type Triangle = readonly [UnitVector, UnitVector, UnitVector];
/** S0 to S3, N0 to N3. */
const roots: readonly Triangle[] = [
  [x!, minusZ!, y!],
  [y!, minusZ!, minusX!],
  [minusX!, minusZ!, minusY!],
  [minusY!, minusZ!, x!],
  [x!, z!, minusY!],
  [minusY!, z!, minusX!],
  [minusX!, z!, y!],
  [y!, z!, x!],
];

/** The trixel with this index at this level (0 to 24). Undefined for a number that is none. */
export function htmTriangle(level: number, index: number): ConvexPolygon | undefined {
  const first = 8 * 4 ** level;
  if (!Number.isSafeInteger(index) || index < first || index >= 2 * first) return undefined;
  let triangle = roots[Math.floor(index / 4 ** level) - 8]!;
  for (let depth = level - 1; depth >= 0; depth--) triangle = child(triangle, Math.floor(index / 4 ** depth) % 4);
  return triangle;
}

function child([v0, v1, v2]: Triangle, number: number): Triangle {
  const [w0, w1, w2] = [unit(sum([v1, v2])), unit(sum([v2, v0])), unit(sum([v0, v1]))];
  if (number === 0) return [v0, w2, w1];
  if (number === 1) return [v1, w0, w2];
  return number === 2 ? [v2, w1, w0] : [w0, w1, w2];
}
