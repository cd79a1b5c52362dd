/**
 * The packer of Rubin's instruments: what an exposure's number says (day, number in the sequence, controller), and the detector.
 *
 * Source: lsst.obs.lsst, RubinDimensionPacker and the exposure numbers of its translators.
 */

import { ButlerfsError } from '../../common/errors.js';
import type { Column, Columns, LabelColumn, PackableDataId } from './contract.js';
import { bitLength, limitOf, mixedRadix, numbersOf } from './plan.js';
import type { PackingPlan, Translation } from './plan.js';
import type { ObservationKey } from './plans.js';
import { days, integerOf, integersBelow, words } from './values.js';
import type { DataIdValue } from './values.js';

/** In order of their numbers; each adds 1000 years to the day in exposure numbers. */
const controllers = ['O', 'C', 'H', 'P', 'Q', 'S'] as const;
const controllerRoom = 8;
const controllerYears = 1000 * 10_000;
/** After these days a controller counts with the others, and its exposure numbers are as those of O. */
const unifiedAfter: Readonly<Record<string, number>> = { C: 20231004, P: 20250417, Q: 20250417, S: 20250417 };

const sequenceRoom = 100_000;
/** What a visit begins with that is the first exposure of a sequence, taken by itself. */
const alone = 9;
const exposureRoom = 10 ** 13;

const parts = ['detector', 'seq_num', 'day_obs', 'controller', 'one_to_one'];

export interface RubinForm {
  /** `parts`: data IDs give `day_obs`, `seq_num`, `controller` and `one_to_one` themselves. */
  readonly observation: ObservationKey | 'parts';
  /** Whether there is room for other controllers than O. */
  readonly withControllers: boolean;
}

/** 38 bits, or 41 with controllers. */
export function rubinPlan({ observation, withControllers }: RubinForm): PackingPlan {
  const fields = mixedRadix([
    ['detector', integersBelow(256)],
    ['seq_num', integersBelow(32_768)],
    ['day_obs', days(20100101, 16_384)],
    ['controller', withControllers ? words(controllers, controllerRoom) : words(['O'])],
    ['one_to_one', integersBelow(2)],
  ]);
  const plan = { name: withControllers ? 'rubin-controllers' : 'rubin', fields, bits: bitLength(limitOf(fields) - 1n) };
  if (observation === 'parts') {
    return {
      ...plan,
      keys: ['day_obs', 'seq_num', 'controller', 'one_to_one', 'detector'],
      reword: (dataId) => ({ controller: 'O', one_to_one: 0, ...dataId }),
    };
  }
  return { ...plan, keys: [observation, 'detector'], translation: translate(observation) };
}

interface Parts {
  readonly day: number;
  readonly sequence: number;
  /** Place among controllers. */
  readonly controller: number;
  readonly isAlone: boolean;
}

/** Undefined for a number that is no observation's. */
function split(key: ObservationKey, number: number): Parts | undefined {
  const lead = Math.floor(number / exposureRoom);
  // Of years from 10000 on there are none: exposures have 13 digits, and visits a 9 before them where they are taken by themselves.
  const isAlone = key === 'visit' && lead === alone;
  const exposure = isAlone ? number - alone * exposureRoom : number;
  const withYears = Math.floor(exposure / sequenceRoom);
  const controller = Math.floor(withYears / controllerYears) - 2;
  if (controller < 0 || controller >= controllers.length) return undefined;
  return { day: withYears - controller * controllerYears, sequence: exposure - withYears * sequenceRoom, controller, isAlone };
}

function join({ day, sequence, controller, isAlone }: Parts): number {
  const unified = unifiedAfter[controllers[controller]!];
  const years = unified !== undefined && day > unified ? 0 : controller;
  return (day + years * controllerYears) * sequenceRoom + sequence + (isAlone ? alone * exposureRoom : 0);
}

function refuse(key: ObservationKey, value: DataIdValue | bigint, row?: number): ButlerfsError {
  return new ButlerfsError('invalid-value', {
    what: `${row === undefined ? '' : `row ${row}: `}${key}=${value}`,
    why: 'it is not of the form YYYYMMDDnnnnn, from the year 2010 on, with 1000 years more for each controller',
  });
}

function aloneAsExposure(): ButlerfsError {
  return new ButlerfsError('invalid-value', {
    what: 'a packed integer of a visit that is the first exposure of a sequence',
    why: 'it is no exposure',
    advice: 'unpack visit, detector',
  });
}

function translate(key: ObservationKey): Translation {
  return {
    keys: [key],
    parts,
    toParts: (dataId: PackableDataId) => {
      const found = split(key, integerOf(dataId[key]) ?? -1);
      if (found === undefined) throw refuse(key, dataId[key]!);
      return {
        ...dataId,
        day_obs: found.day,
        seq_num: found.sequence,
        controller: controllers[found.controller]!,
        one_to_one: found.isAlone ? 1 : 0,
      };
    },
    fromParts: (values) => {
      const isAlone = values['one_to_one'] === 1;
      if (isAlone && key === 'exposure') throw aloneAsExposure();
      const controller = controllers.indexOf(values['controller'] as (typeof controllers)[number]);
      return { ...values, [key]: join({ day: Number(values['day_obs']), sequence: Number(values['seq_num']), controller, isAlone }) };
    },
    columnsToParts: (columns: Columns) => {
      const numbers = numbersOf(key, columns[key]);
      const [day, sequence, single] = [new Uint32Array(numbers.length), new Uint32Array(numbers.length), new Uint32Array(numbers.length)];
      const codes = new Uint8Array(numbers.length);
      for (let row = 0; row < numbers.length; row++) {
        const found = split(key, numbers[row]!);
        if (found === undefined) throw refuse(key, numbers[row]!, row);
        [day[row], sequence[row], codes[row], single[row]] = [found.day, found.sequence, found.controller, found.isAlone ? 1 : 0];
      }
      return { ...columns, day_obs: day, seq_num: sequence, controller: { codes, labels: controllers }, one_to_one: single };
    },
    columnsFromParts: (columns) => {
      const day = columns['day_obs'] as Uint32Array;
      const sequence = columns['seq_num'] as Uint32Array;
      const single = columns['one_to_one'] as Uint32Array;
      const { codes } = columns['controller'] as LabelColumn;
      const joined = new BigUint64Array(day.length);
      const lanes = new Uint32Array(joined.buffer);
      for (let row = 0; row < joined.length; row++) {
        const isAlone = single[row] === 1;
        if (isAlone && key === 'exposure') throw aloneAsExposure();
        const number = join({ day: day[row]!, sequence: sequence[row]!, controller: codes[row]!, isAlone });
        lanes[2 * row + 1] = Math.floor(number / 2 ** 32);
        lanes[2 * row] = number % 2 ** 32;
      }
      const { [key]: _, ...rest } = columns;
      return { ...rest, [key]: joined } satisfies Record<string, Column>;
    },
  };
}
