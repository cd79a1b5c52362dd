/**
 * Coadd flavours as a dimension (docs/paths.md): `deepCoadd_calexp` is also `coadd_calexp` with `flavor=deep`.
 *
 * A dataset type's name gives its family and its flavour by one rule: what stands before `Coadd`, or before `_coadd` in a name of small letters, is the flavour,
 * and `coadd` with the rest is the family. Names after tasks (`assembleCoadd_metadata`) tell of no coadd.
 *
 * A configuration file, or a repository's own `butlerfs.yaml`, may name others:
 *
 *     flavors:
 *       coadd_calexp: {best: myBestSeeing_calexp}       # family: {flavour: dataset type}
 */

import { z } from 'zod';
import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import type { Catalogue, DatasetType } from './contract.js';

/** The key that gives a flavour, in either spelling. */
export const flavorKey = 'flavor';
const flavorKeys: readonly string[] = [flavorKey, 'flavour'];

/** Dataset types by family and flavour. */
export type FlavorNames = Readonly<Record<string, Readonly<Record<string, string>>>>;

const familyShape = z.string().regex(/^[A-Za-z_]\w*$/, 'a family is letters, digits and underscores');
const flavorShape = z.string().regex(/^[A-Za-z0-9]\w*$/, 'a flavor is letters, digits and underscores');

/** The form of `flavors:`; also that in which they travel. */
export const flavorsSchema: z.ZodType<FlavorNames> = z.record(familyShape, z.record(flavorShape, z.string().min(1)));

/** What the name of a coadd says. */
export interface CoaddName {
  readonly family: string;
  readonly flavor: string;
}

const camelCase = /^([A-Za-z0-9]\w*?)Coadd((?:[A-Z_]\w*)?)$/;
const snakeCase = /^([a-z0-9][a-z0-9_]*?)_coadd((?:_\w*)?)$/;
/** What every task leaves of itself. */
const ofTask = /_(?:config|log|metadata)$/;

/** Undefined for a name that is none of a coadd. */
export function coaddNameOf(typeName: string): CoaddName | undefined {
  const match = ofTask.test(typeName) ? null : (camelCase.exec(typeName) ?? snakeCase.exec(typeName));
  return match === null ? undefined : { family: `coadd${match[2]}`, flavor: match[1]! };
}

/** One flavour of a family: several types where one name is written in both ways. */
export interface Flavor {
  readonly flavor: string;
  /** Never empty. */
  readonly types: readonly DatasetType[];
}

/** The flavours of a family among dataset types, sorted by name; empty for what is no family. The user's names (`further`) come before the repository's. */
export function flavorsOf(
  { info }: Catalogue,
  types: readonly DatasetType[],
  family: string,
  further: FlavorNames = {},
): readonly Flavor[] {
  const found = new Map<string, DatasetType[]>();
  for (const type of types) {
    const name = coaddNameOf(type.name);
    if (name?.family === family) found.set(name.flavor, [...(found.get(name.flavor) ?? []), type]);
  }
  for (const names of [info.names?.flavors ?? {}, further]) {
    for (const [flavor, typeName] of Object.entries(Object.hasOwn(names, family) ? names[family]! : {})) {
      const type = types.find(({ name }) => name === typeName);
      if (type !== undefined) found.set(flavor, [type]);
    }
  }
  return [...found].map(([flavor, ofFlavor]) => ({ flavor, types: ofFlavor })).sort((a, b) => (a.flavor < b.flavor ? -1 : 1));
}

/** The flavour of a dataset type, by the user's names, else the repository's, else its own; null for one that has none. */
export function flavorOfType({ info }: Catalogue, typeName: string, further: FlavorNames = {}): string | null {
  for (const names of [further, info.names?.flavors ?? {}]) {
    for (const flavors of Object.values(names)) {
      const found = Object.entries(flavors).find(([, name]) => name === typeName);
      if (found !== undefined) return found[0];
    }
  }
  return coaddNameOf(typeName)?.flavor ?? null;
}

/** Names of families that have a flavour among dataset types. */
export function familiesOf({ info }: Catalogue, types: readonly DatasetType[], further: FlavorNames = {}): ReadonlySet<string> {
  const families = types.flatMap(({ name }) => coaddNameOf(name)?.family ?? []);
  const configured = [info.names?.flavors ?? {}, further].flatMap((names) =>
    Object.entries(names).flatMap(([family, flavors]) => (types.some(({ name }) => Object.values(flavors).includes(name)) ? [family] : [])),
  );
  return new Set([...families, ...configured]);
}

/** The flavour that a component of a path or `KEY=VALUE` gives; undefined for another key. */
export function givenFlavor(component: string): string | undefined {
  const equals = component.indexOf('=');
  return flavorKeys.includes(component.slice(0, equals)) ? component.slice(equals + 1) : undefined;
}

/** Whether a name of an expression is the flavour. */
export function isFlavorKey(name: string): boolean {
  return flavorKeys.includes(name);
}

/** The dataset type of a flavour. Throws `unknown-value`, with the nearest, and `ambiguous` where its name is written in both ways. */
export function typeOfFlavor(family: string, flavors: readonly Flavor[], wanted: string): DatasetType {
  const names = flavors.map(({ flavor }) => flavor);
  const found = flavors.find(({ flavor }) => flavor === wanted);
  if (found === undefined) {
    throw new ButlerfsError('unknown-value', {
      what: `${flavorKey}=${wanted} of ${family}`,
      why: 'no dataset type here is of this flavor',
      advice: didYouMean(nearestNames(wanted, names).map((name) => `${flavorKey}=${name}`)) ?? `flavors here: ${names.join(', ')}`,
    });
  }
  const [type, another] = found.types;
  if (another === undefined) return type!;
  throw new ButlerfsError('ambiguous', {
    what: `${flavorKey}=${wanted} of ${family}`,
    why: `${found.types.map(({ name }) => `'${name}'`).join(' and ')} are both of this flavor`,
    advice: 'name the dataset type itself',
  });
}
