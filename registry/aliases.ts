/**
 * Further names for the keys of data IDs (docs/paths.md, rule 5), as a configuration file or a repository's own `butlerfs.yaml` has them:
 *
 *     aliases:
 *       chip: detector                                     # of every instrument
 *       ccdnum: {means: detector, instrument: DECam}       # where the data ID has this instrument
 *       ccdname: {means: detector, field: full_name}       # the value is this field of the dimension's record
 *       side:                                              # the first that applies counts
 *         - {means: detector, instrument: HSC, values: {left: 49, right: 50}}
 *         - {means: detector}
 */

import { z } from 'zod';
import type { Catalogue, DataIdValue, DimensionName } from './contract.js';

/** One meaning of an alias. Plain data: it travels between threads and processes. */
export interface KeyAlias {
  /** A dimension, or `filter`, which is a physical filter or a band after its value. */
  readonly means: DimensionName;
  /** Set where it holds for data IDs with this instrument only. */
  readonly instrument?: string;
  /** Values of the dimension by what is written for them; what is not in it stands for itself. */
  readonly values?: Readonly<Record<string, DataIdValue>>;
  /** What is written is this field of the dimension's record, which must name one record. */
  readonly field?: string;
}

/** Meanings by alias: a dimension's name alone, or one meaning, or several of which the first that applies counts. */
export type KeyAliases = Readonly<Record<string, DimensionName | KeyAlias | readonly KeyAlias[]>>;

const nameShape = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'an alias, and what it means, is letters, digits and underscores');

const meaningShape = z.strictObject({
  means: nameShape,
  instrument: z.string().min(1).exactOptional(),
  values: z.record(z.string().min(1), z.union([z.string().min(1), z.int()])).exactOptional(),
  field: nameShape.exactOptional(),
});
const meaningSchema = meaningShape.refine(
  ({ values, field }) => values === undefined || field === undefined,
  'gives values or a field, not both',
);

/** The keys of one meaning. */
export const meaningKeys: readonly string[] = Object.keys(meaningShape.shape);

/** The form of `aliases:`; also that in which they travel. */
export const aliasesSchema: z.ZodType<KeyAliases> = z.record(nameShape, z.union([nameShape, meaningSchema, z.array(meaningSchema).min(1)]));

/** The key that is a physical filter or a band after its value: the one alias that is no dimension's. */
export const filterAlias = 'filter';

const commonAliases: KeyAliases = {
  ccd: 'detector',
  ccdnum: 'detector',
  sensor: 'detector',
  [filterAlias]: filterAlias,
  pointing: 'visit',
};

/** In Gen2 a pointing has a number of its own, which its visits share. */
const gen2Aliases: KeyAliases = { ...commonAliases, pointing: { means: 'visit', field: 'pointing' } };

/** Where aliases come from, the first first. */
function sources({ info }: Catalogue, further: KeyAliases): readonly KeyAliases[] {
  return [further, info.names?.aliases ?? {}, info.format === 'gen2' ? gen2Aliases : commonAliases];
}

/** All meanings of a key, the user's (`further`) before the repository's and those before the common ones. Empty for a key that is no alias. */
export function meaningsOf(catalogue: Catalogue, key: string, further: KeyAliases = {}): readonly KeyAlias[] {
  return sources(catalogue, further).flatMap((aliases) => (Object.hasOwn(aliases, key) ? listed(aliases[key]!) : []));
}

/** Every alias. */
export function aliasNames(catalogue: Catalogue, further: KeyAliases = {}): ReadonlySet<string> {
  return new Set(sources(catalogue, further).flatMap((aliases) => Object.keys(aliases)));
}

function listed(meaning: KeyAliases[string]): readonly KeyAlias[] {
  if (typeof meaning === 'string') return [{ means: meaning }];
  return 'means' in meaning ? [meaning] : meaning;
}

/** Whether a meaning holds for data IDs of an instrument; undefined: of one that is not said. */
export function appliesTo({ instrument }: KeyAlias, given: DataIdValue | undefined): boolean {
  return instrument === undefined || instrument === given;
}
