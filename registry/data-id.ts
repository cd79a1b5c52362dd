/** A data ID: the values that identify one dataset of some type. */

import { ButlerfsError } from '../common/errors.js';
import type { Constraint, DataIdValue, DimensionGroup, DimensionName } from './contract.js';

/** Immutable. Two data IDs are equal where they have the same dimensions and values, whatever group object they were made with. */
export class DataId {
  readonly group: DimensionGroup;
  /** Values of `group.required`, in that order. */
  readonly values: readonly DataIdValue[];
  #key: string | undefined;

  /** `values` in the order of `group.required`. Throws `invalid-value` where one is missing or too many are given. */
  constructor(group: DimensionGroup, values: readonly DataIdValue[]) {
    if (values.length !== group.required.length) {
      const expected = group.required.join(', ') || 'no dimension';
      throw new ButlerfsError('invalid-value', {
        what: `a data ID of ${values.length} values`,
        why: `it needs one for each of ${expected}`,
      });
    }
    this.group = group;
    this.values = Object.freeze([...values]);
  }

  /** From values by name; names outside the group are ignored. Throws `invalid-value` where one is missing. */
  static from(group: DimensionGroup, values: Constraint | Readonly<Record<DimensionName, DataIdValue>>): DataId {
    const named: Constraint = isConstraint(values) ? values : new Map(Object.entries(values));
    const listed = group.required.map((name) => {
      const value = named.get(name);
      if (value === undefined)
        throw new ButlerfsError('invalid-value', { what: 'a data ID', why: `it has no value for ${name}`, advice: `give ${name}=...` });
      return value;
    });
    return new DataId(group, listed);
  }

  /** The value of a required dimension, or undefined. */
  get(name: DimensionName): DataIdValue | undefined {
    const index = this.group.required.indexOf(name);
    return index < 0 ? undefined : this.values[index];
  }

  /** The part that a smaller group needs. Throws `invalid-value` where this one lacks it. */
  subset(group: DimensionGroup): DataId {
    return DataId.from(group, this.toJSON());
  }

  equals(other: DataId): boolean {
    return this.key === other.key;
  }

  /** A text that is the same for equal data IDs and no others; for maps. */
  get key(): string {
    return (this.#key ??= JSON.stringify(this.group.required.map((name, index) => [name, this.values[index]])));
  }

  /** Values by name, in path order. */
  toJSON(): Record<DimensionName, DataIdValue> {
    return Object.fromEntries(this.group.required.map((name, index) => [name, this.values[index]!]));
  }

  toString(): string {
    return this.group.required.map((name, index) => `${name}=${this.values[index]}`).join(' ');
  }
}

function isConstraint(values: Constraint | Readonly<Record<DimensionName, DataIdValue>>): values is Constraint {
  return values instanceof Map;
}
