/** The pixels that regions may touch: polygons the size of patches and detectors, and circles, against lsst-sphgeom in the same run. */

import { HtmPixelisation } from '../sky/regions/htm.js';
import { Circle } from '../sky/regions/circle.js';
import { ConvexPolygon } from '../sky/regions/convex-polygon.js';
import type { Region } from '../sky/regions/contract.js';
import { fromLonLat } from '../sky/vector.js';
import type { UnitVector } from '../sky/vector.js';
import { sphgeom } from '../test/support/python.js';
import { runSuccessfully } from '../test/support/run.js';
import { report } from './harness.js';
import type { Row } from './harness.js';

/** What is promised: envelopes in a time, of those that sphgeom makes in the same time. As a ratio of times, its inverse. */
const PROMISED_RATE = 0.3;
const REGIONS = 2000;
const RUNS = 5;
/** Radians from the middle to a corner: a patch, a detector, a tract. */
const SIZES = { patch: 0.0023, detector: 0.002, tract: 0.018 };

const SPHGEOM = `
import sys, time
from lsst.sphgeom import Angle, Circle, ConvexPolygon, HtmPixelization, LonLat, UnitVector3d
kind, level, size, count, runs = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
at = lambda lon, lat: UnitVector3d(LonLat.fromRadians(lon, lat))
regions = []
for index in range(count):
    lon, lat = 0.1 + 6 * index / count, -1.2 + 2.4 * ((index * 7919) % count) / count
    if kind == 'circle':
        regions.append(Circle(at(lon, lat), Angle(size)))
    else:
        regions.append(ConvexPolygon([at(lon - size, lat - size), at(lon + size, lat - size), at(lon + size, lat + size), at(lon - size, lat + size)]))
pixelization = HtmPixelization(level)
taken = []
for run in range(runs):
    started = time.perf_counter()
    ranges = sum(len(pixelization.envelope(region)) for region in regions)
    taken.append(time.perf_counter() - started)
print(sorted(taken)[runs // 2], ranges)
`;

function at(longitude: number, latitude: number): UnitVector {
  return fromLonLat(longitude, latitude);
}

function regionsOf(kind: string, size: number): Region[] {
  return Array.from({ length: REGIONS }, (_, index) => {
    const [longitude, latitude] = [0.1 + (6 * index) / REGIONS, -1.2 + (2.4 * ((index * 7919) % REGIONS)) / REGIONS];
    if (kind === 'circle') return Circle.around(at(longitude, latitude), size);
    return ConvexPolygon.of([
      at(longitude - size, latitude - size),
      at(longitude + size, latitude - size),
      at(longitude + size, latitude + size),
      at(longitude - size, latitude + size),
    ]);
  });
}

/** The median, seconds, and how many ranges there are in all. */
function measured(kind: string, level: number, size: number): [seconds: number, ranges: number] {
  const regions = regionsOf(kind, size);
  const pixelisation = new HtmPixelisation(level);
  const taken: number[] = [];
  let ranges = 0;
  for (let run = 0; run < RUNS; run++) {
    const started = performance.now();
    ranges = regions.reduce((total, region) => total + pixelisation.envelope(region).length / 2, 0);
    taken.push((performance.now() - started) / 1000);
  }
  return [taken.sort((a, b) => a - b)[RUNS >> 1]!, ranges];
}

async function compared(kind: string, name: keyof typeof SIZES, level: number): Promise<Row> {
  const args = ['-c', SPHGEOM, kind, String(level), String(SIZES[name]), String(REGIONS), String(RUNS)];
  const [reference, expected] = (await runSuccessfully(sphgeom()!, args, { timeout: 300_000 })).split(' ').map(Number) as [number, number];
  const [seconds, ranges] = measured(kind, level, SIZES[name]);
  if (ranges !== expected) process.stderr.write(`${kind} ${name} htm${level}: ${ranges} ranges, lsst-sphgeom has ${expected}\n`);
  const what = `envelopes of ${REGIONS} ${kind}s of the size of a ${name}, htm${level}`;
  return { what, measured: seconds, reference, unit: 's', against: 'lsst-sphgeom', limit: 1 / PROMISED_RATE };
}

if (sphgeom() !== undefined) {
  const rows: Row[] = [];
  for (const kind of ['polygon', 'circle']) {
    rows.push(await compared(kind, 'detector', 7), await compared(kind, 'patch', 11), await compared(kind, 'tract', 13));
  }
  report(rows);
}
