/** Published packed integers; that packing and unpacking undo each other, one by one and by the million; what is refused. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Column, PackableDataId, Packer } from './contract.js';
import { namedPlan, packerNames } from './named.js';
import { makePacker, objectIds } from './plan.js';
import type { ObjectIdForm, PackingPlan } from './plan.js';
import { gen2CoaddPlan, gen2ExposurePlan, observationPlan, packedBands, skyMapPlan } from './plans.js';
import { rubinPlan } from './rubin.js';

const hsc = { tracts: 18938, patchColumns: 9, patchRows: 9 };
const limits = { detectors: 189, observations: 2 ** 20, tracts: 100, patchColumns: 3, patchRows: 4 };
const visits = observationPlan('visit', { detectors: 200, observations: 21474800 });

describe('published packed integers', () => {
  it.each<[string, PackingPlan, PackableDataId, bigint, number]>([
    ['a patch', skyMapPlan(hsc, false), { tract: 9813, patch: 40 }, 794893n, 21],
    ['a patch with a band', skyMapPlan(hsc, true), { tract: 9813, patch: 40, band: 'i' }, 6930805n, 26],
    ['a patch of few tracts', skyMapPlan({ tracts: 5, patchColumns: 3, patchRows: 3 }, false), { tract: 2, patch: 6 }, 24n, 6],
    ['an image', visits, { visit: 903334, detector: 16 }, 180666816n, 32],
    ['an image without visit_max', observationPlan('visit', { detectors: 200 }), { visit: 903334, detector: 16 }, 180666816n, 32],
    ['an image of DECam', namedPlan('decam', { keys: [], limits: {} }), { visit: 410915, detector: 25 }, 41091525n, 32],
    ['an image in Gen2', gen2ExposurePlan(), { visit: 903334, ccd: 16 }, 180666816n, 32],
    ['a patch in Gen2', gen2CoaddPlan(false), { tract: 9813, patch: '4,5' }, BigInt(9813 * 1024 + 4 * 32 + 5), 26],
    [
      'a patch with a filter in Gen2',
      gen2CoaddPlan(true),
      { tract: 9813, patch: '4,5', filter: 3 },
      BigInt((9813 * 1024 + 4 * 32 + 5) * 64 + 3),
      32,
    ],
    ['one beyond 2^53', observationPlan('exposure', { detectors: 256 }), { exposure: 2 ** 50, detector: 255 }, 255n + 256n * 2n ** 50n, 32],
    [
      'an image of Rubin',
      rubinPlan({ observation: 'exposure', withControllers: false }),
      { exposure: 2024120200123, detector: 94 },
      94n + 256n * (123n + 32768n * 5449n),
      38,
    ],
    [
      'a visit of Rubin that is one exposure of two',
      rubinPlan({ observation: 'visit', withControllers: true }),
      { visit: 92024120200123, detector: 94 },
      94n + 256n * (123n + 32768n * (5449n + 16384n * 8n)),
      41,
    ],
    [
      'an exposure of another controller',
      rubinPlan({ observation: 'exposure', withControllers: true }),
      { exposure: 3022120200123, detector: 0 },
      256n * (123n + 32768n * (4718n + 16384n)),
      41,
    ],
  ])('%s', (_, plan, dataId, packed, bits) => {
    const packer = makePacker(plan);
    expect({ packed: packer.pack(dataId), bits: packer.bits }).toEqual({ packed, bits });
    expect(packer.pack(packer.unpack(packed))).toBe(packed);
  });

  it('counts bands as lsst.skymap does', () => {
    expect([packedBands.length, packedBands.indexOf('y'), packedBands.indexOf('K'), packedBands.indexOf('N964')]).toEqual([28, 6, 17, 27]);
  });

  it('leaves so many bits to the counters of objects', () => {
    const most = (plan: PackingPlan, form: ObjectIdForm): unknown => objectIds(plan, form).fields[0]!.coding.size;
    expect(most(skyMapPlan(hsc, false), { form: 'new' })).toBe(2 ** 36);
    expect(most(visits, { form: 'new' })).toBe(2 ** 25);
    expect(most(visits, { form: 'new', releases: 1 })).toBe(2 ** 31);
    expect(most(visits, { form: 'old' })).toBe(2 ** 31);
    expect(most(visits, { form: 'oldest' })).toBe(2 ** 32);
  });

  it('makes identifiers of objects', () => {
    const now = makePacker(objectIds(skyMapPlan(hsc, false), { form: 'new' }));
    expect(now.pack({ tract: 9813, patch: 40, release: 3, counter: 17 })).toBe(((794893n + (3n << 21n)) << 36n) | 17n);
    expect(now.pack({ tract: 9813, patch: 40, counter: 17 })).toBe((794893n << 36n) | 17n);
    const old = makePacker(objectIds(visits, { form: 'old' }));
    expect(old.unpack((180666816n << 31n) | 5n)).toEqual({ visit: 903334, detector: 16, counter: 5 });
    expect(() => objectIds(visits, { form: 'new', releases: 2 ** 40 })).toThrow('none are left');
  });
});

it('packs small counters in columns of 32 bits as those of 64', () => {
  const packer = makePacker(objectIds(skyMapPlan(hsc, false), { form: 'new' }));
  const columns = {
    tract: Uint32Array.from({ length: 5000 }, (_, row) => (row * 7919) % 18938),
    patch: Uint32Array.from({ length: 5000 }, (_, row) => row % 81),
    release: Uint32Array.from({ length: 5000 }, (_, row) => row % 64),
    counter: Uint32Array.from({ length: 5000 }, (_, row) => 2 ** 32 - 1 - row),
  };
  const packed = packer.packColumns(columns);
  for (const row of [0, 1, 2047, 2048, 4999]) expect(packed[row]).toBe(packer.pack(rowOf(packer, columns, row)));
  expect(packer.packColumns({ ...columns, counter: BigUint64Array.from(columns.counter, BigInt) })).toEqual(packed);
  columns.patch[4000] = 81;
  expect(() => packer.packColumns(columns)).toThrow('patch=81 in row 4000');
});

const requests = packerNames.flatMap((name) =>
  [['visit'], ['exposure'], ['tract', 'patch', 'band'], ['day_obs']].map((keys) => namedPlan(name, { keys, limits })),
);
/** Each kind once, plain and with counters. */
const plans = [...new Map(requests.map((plan) => [`${plan.name} ${plan.keys.join()}`, plan])).values()];
const everyPlan = [
  ...plans,
  observationPlan('visit', { detectors: 189 }),
  ...plans.flatMap((plan) => [objectIds(plan, { form: 'new' }), objectIds(plan, { form: 'old' })]),
  objectIds(visits, { form: 'oldest' }),
  objectIds(observationPlan('visit', { detectors: 189 }), { form: 'new' }),
  objectIds(skyMapPlan({ tracts: 1, patchColumns: 1, patchRows: 3 }, false), { form: 'oldest' }),
];
const named = everyPlan.map((plan) => [`${plan.name} of ${plan.keys.join(', ')}`, plan] as const);

/** A data ID as its packer gives it: integers and words from all over the range, the ends more often. */
function codesOf(plan: PackingPlan): fc.Arbitrary<bigint> {
  const codes = plan.fields.map(({ key, coding }) => {
    // What is alone is no exposure.
    const known = key === 'one_to_one' && plan.keys.includes('exposure') ? 1 : Math.min(coding.size, coding.labels?.length ?? coding.size);
    // These controllers' numbers look like those of O since 2023, and come back as that.
    const sure = key === 'controller' && !plan.keys.includes('controller') ? 1 : known;
    return fc.oneof(
      fc.constantFrom(0, sure - 1),
      fc.integer({ min: 0, max: Math.min(sure - 1, 2 ** 31 - 1) }),
      fc.maxSafeNat().map((n) => n % sure),
    );
  });
  return fc.tuple(...codes).map((list) => list.reduce((sum, code, i) => sum + BigInt(code) * plan.fields[i]!.weight, 0n));
}

describe.each(named)('%s', (_, plan) => {
  const packer = makePacker(plan);

  it('packs what it unpacks', () => {
    fc.assert(
      fc.property(codesOf(plan), (packed) => {
        const dataId = packer.unpack(packed);
        return packer.pack(dataId) === packed && Object.keys(dataId).length === packer.keys.length + Object.keys(packer.fixed).length;
      }),
      { numRuns: 50 },
    );
  });

  it('packs and unpacks many as it does one', () => {
    fc.assert(
      fc.property(fc.array(codesOf(plan), { minLength: 1, maxLength: 50 }), fc.boolean(), (few, isLong) => {
        // More than a chunk now and then.
        const all = isLong ? Array.from({ length: 5000 }, (__, i) => few[i % few.length]!) : few;
        const packed = BigUint64Array.from(all);
        const columns = packer.unpackColumns(packed);
        few.forEach((one, row) => expect(rowOf(packer, columns, row)).toEqual(packer.unpack(one)));
        expect(Buffer.compare(Buffer.from(packer.packColumns(columns).buffer), Buffer.from(packed.buffer))).toBe(0);
      }),
      { numRuns: 8 },
    );
  });

  it('refuses integers outside its range, and says it', () => {
    const most = packer.limit < 2n ** 64n ? [packer.limit, 2n ** 64n - 1n] : [];
    for (const packed of [-1n, ...most]) expect(() => packer.unpack(packed)).toThrow(`from 0 to ${packer.limit - 1n}`);
    for (const packed of most) {
      const good = packer.pack(packer.unpack(0n));
      expect(() => packer.unpackColumns(BigUint64Array.of(good, packed))).toThrow(/row 1: .*from 0 to/);
    }
  });
});

function valueAt(column: Column, row: number): number | string {
  return 'codes' in column ? column.labels[column.codes[row]!]! : Number(column[row]);
}

function rowOf(packer: Packer, columns: Readonly<Record<string, Column>>, row: number): PackableDataId {
  return { ...packer.fixed, ...Object.fromEntries(packer.keys.map((key) => [key, valueAt(columns[key]!, row)])) };
}

describe('what does not fit is refused', () => {
  const patches = skyMapPlan(hsc, false);
  const withBand = skyMapPlan(hsc, true);
  const rubin = rubinPlan({ observation: 'exposure', withControllers: false });
  it.each<[PackingPlan, PackableDataId, string]>([
    [patches, { tract: 18938, patch: 0 }, 'tract=18938: it is not an integer from 0 to 18937'],
    [patches, { tract: 0, patch: 81 }, 'from 0 to 80'],
    [patches, { tract: -1, patch: 0 }, 'from 0 to 18937'],
    [patches, { tract: 1.5, patch: 0 }, 'tract=1.5'],
    [patches, { tract: 'x', patch: 0 }, 'tract=x'],
    [patches, { tract: 1 }, 'without patch'],
    [withBand, { tract: 0, patch: 0, band: 'N92' }, "did you mean 'N921'?"],
    [visits, { visit: 1, detector: 200 }, 'from 0 to 199'],
    [{ ...visits, fixed: { instrument: 'HSC' } }, { visit: 1, detector: 2, instrument: 'DECam' }, 'is for instrument=HSC'],
    [rubin, { exposure: 1228, detector: 0 }, 'YYYYMMDDnnnnn'],
    [rubin, { exposure: 2009123100001, detector: 0 }, 'day_obs=20091231: it is not a day from 20100101 to 20541109'],
    [rubin, { exposure: 2024133100001, detector: 0 }, 'day_obs=20241331'],
    [rubin, { exposure: 3022120200001, detector: 0 }, 'controller=C'],
    [rubin, { exposure: 2024120299999, detector: 0 }, 'seq_num=99999'],
  ])('%#', (plan, dataId, message) => {
    expect(() => makePacker(plan).pack(dataId)).toThrow(message);
  });

  it.each<[PackingPlan, Record<string, Column>, string]>([
    [patches, { tract: Uint32Array.of(1, 18938), patch: Uint32Array.of(0, 0) }, 'tract=18938 in row 1'],
    [patches, { tract: BigUint64Array.of(1n, 2n ** 63n), patch: Uint32Array.of(0, 0) }, 'in row 1'],
    [patches, { tract: Uint32Array.of(1), patch: Uint32Array.of(0, 0) }, 'patch 2, tract 1'],
    [patches, { tract: Uint32Array.of(1) }, 'without patch'],
    [withBand, { tract: Uint32Array.of(1), patch: Uint32Array.of(0), band: Uint32Array.of(0) }, 'column band'],
    [withBand, { tract: Uint32Array.of(1), patch: Uint32Array.of(0), band: { codes: Uint8Array.of(0), labels: ['w'] } }, 'band=w in row 0'],
    [rubin, { exposure: BigUint64Array.of(2024120200001n, 7n), detector: Uint32Array.of(0, 0) }, 'row 1: exposure=7'],
  ])('in columns too (%#)', (plan, columns, message) => {
    expect(() => makePacker(plan).packColumns(columns)).toThrow(message);
  });

  it('of an exposure, what is alone in its sequence', () => {
    const visit = makePacker(rubinPlan({ observation: 'visit', withControllers: false }));
    const packed = visit.pack({ visit: 92024120200123, detector: 1 });
    expect(() => makePacker(rubin).unpack(packed)).toThrow('it is no exposure');
    expect(() => makePacker(rubin).unpackColumns(BigUint64Array.of(packed))).toThrow('it is no exposure');
  });

  it('of packers, names that none has', () => {
    expect(() => namedPlan('hcs', { keys: [], limits: {} })).toThrow("did you mean 'hsc'?");
    expect(() => namedPlan('skymap', { keys: [], limits: {} })).toThrow('--tracts, --patch-columns, --patch-rows');
    expect(() => namedPlan('constructor', { keys: [], limits: {} })).toThrow('unknown packer');
  });
});
