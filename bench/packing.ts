/** Object identifiers taken apart and put together, ten million at a time, against numpy in the same run. */

import { numpy } from '../test/support/python.js';
import { runSuccessfully } from '../test/support/run.js';
import { makePacker, objectIds } from '../sky/packing/plan.js';
import { observationPlan, skyMapPlan } from '../sky/packing/plans.js';
import type { PackingPlan } from '../sky/packing/plan.js';
import { report, type Row, sideBySide } from './harness.js';

const COUNT = 10_000_000;
const RUNS = 5;
/** What is promised: this much of numpy's speed. */
const PROMISED_SPEED = 0.5;

/**
 * The same work on the same identifiers: prints the seconds of one run. Whoever writes it for one form of identifiers knows the numbers: a counter, a smaller key
 * (patch or detector) below `inner`, a larger one, and a release above `bits`.
 */
const REFERENCE = `
import sys, time
import numpy as np
work, count, counter_bits, bits, inner, outer = sys.argv[1], *map(int, sys.argv[2:])
rows = np.arange(count, dtype=np.int64)
small, large, release, counter = rows % inner, rows * 7919 % outer, rows % 64, rows % 2**20
packed = ((small + inner * large + (release << bits)) << counter_bits) | counter
def pack():
    return ((small + inner * large + (release << bits)) << counter_bits) | counter
def unpack():
    catalogue = packed >> counter_bits
    within = catalogue & (2**bits - 1)
    large, small = np.divmod(within, inner)
    return packed & (2**counter_bits - 1), small, large, catalogue >> bits
run = {'pack': pack, 'unpack': unpack}[work]
run()
began = time.perf_counter()
run()
print(time.perf_counter() - began)
`;

const found = numpy();
if (found === undefined) throw new Error('the benchmark of packing needs a python3 with numpy; BUTLERFS_TEST_PYTHON names one');
const interpreter: string = found;

const rows: Row[] = [];

async function compare(what: string, plan: PackingPlan): Promise<void> {
  const objects = objectIds(plan, { form: 'new' });
  const packer = makePacker(objects);
  const [counter, small, large] = objects.fields;
  const column = (make: (row: number) => number, size: number): Uint32Array =>
    Uint32Array.from({ length: COUNT }, (_, row) => make(row) % size);
  const counters = column((row) => row, 2 ** 20);
  const columns = {
    [small!.key]: column((row) => row, small!.coding.size),
    [large!.key]: column((row) => row * 7919, large!.coding.size),
    release: column((row) => row, 64),
    counter: counters,
  };
  const packed = packer.packColumns(columns);
  const sizes = [COUNT, Math.log2(counter!.coding.size), plan.bits, small!.coding.size, large!.coding.size];
  const works = { pack: () => packer.packColumns(columns), unpack: () => packer.unpackColumns(packed) };
  for (const [work, run] of Object.entries(works)) {
    const medians = await sideBySide(
      RUNS,
      () => {
        const began = performance.now();
        run();
        return Promise.resolve((performance.now() - began) / 1000);
      },
      async () => Number(await runSuccessfully(interpreter, ['-c', REFERENCE, work, ...sizes.map(String)], { timeout: 120_000 })),
    );
    rows.push({ what: `${work} ${COUNT / 1e6} million ${what}`, ...medians, unit: 's', against: 'numpy', limit: 1 / PROMISED_SPEED });
  }
}

await compare('objects of patches', skyMapPlan({ tracts: 18938, patchColumns: 9, patchRows: 9 }, false));
await compare('sources of images', observationPlan('visit', { detectors: 200, observations: 21_474_800 }));
report(rows);
