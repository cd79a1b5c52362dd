/** Definitions of sky maps as people write them: a few lines of YAML or JSON. */

import { z } from 'zod';
import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import { projectionCodes } from '../sky/skymaps/contract.js';
import type { PatchScheme, ProjectionCode, SkyMapDefinition } from '../sky/skymaps/contract.js';

export interface NamedSkyMap {
  readonly name: string;
  readonly definition: SkyMapDefinition;
}

const length = z.int().min(1).max(1_000_000);
const border = z.int().min(0).max(1_000_000);
const degrees = z.number().min(-360).max(360);

const common = {
  name: z.string().min(1),
  projection: z.enum(projectionCodes).optional(),
  pixelScale: z.number().positive().max(3600).optional(),
  tractOverlap: z.number().min(0).max(90).optional(),
  rotation: degrees.default(0),
  patches: z.enum(['legacy', 'cells']).default('legacy'),
  patchInnerDimensions: z.tuple([length, length]).optional(),
  patchBorder: border.optional(),
  cellInnerDimensions: z.tuple([length, length]).optional(),
  cellBorder: border.optional(),
  numCellsPerPatchInner: length.optional(),
  numCellsInPatchBorder: border.optional(),
};

/** Names and defaults are those of lsst.skymap. */
const schema = z.discriminatedUnion('kind', [
  z.strictObject({
    ...common,
    kind: z.literal('rings'),
    numRings: z.int().min(1).max(10_000),
    raStart: degrees.default(0),
    version: z.union([z.literal(0), z.literal(1)]).default(1),
  }),
  z.strictObject({
    ...common,
    kind: z.literal('discrete'),
    raList: z.array(degrees).min(1),
    decList: z.array(z.number().min(-90).max(90)),
    radiusList: z.array(z.number().positive().max(90)),
  }),
  z.strictObject({
    ...common,
    kind: z.literal('equat'),
    numTracts: z.int().min(1).max(10_000).default(4),
    decRange: z.tuple([z.number().min(-90).max(90), z.number().min(-90).max(90)]).default([-1.25, 1.25]),
  }),
  z.strictObject({ ...common, kind: z.literal('dodeca'), withTractsOnPoles: z.boolean().default(false) }),
  z.strictObject({ ...common, kind: z.literal('healpix'), log2NSide: z.int().min(0).max(12).default(0), nest: z.boolean().default(false) }),
]);

type Written = z.infer<typeof schema>;

interface Defaults {
  readonly projection: ProjectionCode;
  readonly pixelScale: number;
  readonly overlap: number;
  readonly border: number;
  readonly rotation: number;
}

const usual: Defaults = { projection: 'STG', pixelScale: 0.333, overlap: 1, border: 100, rotation: 0 };
const defaults: Readonly<Record<Written['kind'], Defaults>> = {
  rings: usual,
  discrete: usual,
  equat: { ...usual, projection: 'CEA' },
  dodeca: { ...usual, pixelScale: 0.2, overlap: 3.5, border: 250 },
  healpix: { ...usual, rotation: 45 },
};

/** `text` was parsed already; `where` is for messages. Throws `configuration`, which says which line of the definition is wrong and why. */
export function parseSkyMapDefinition(text: unknown, where: string): NamedSkyMap {
  // The kind alone has a default rotation.
  const written =
    isRecord(text) && text['kind'] === 'healpix' && text['rotation'] === undefined
      ? { ...text, rotation: defaults.healpix.rotation }
      : text;
  const parsed = schema.safeParse(written);
  if (!parsed.success) throw refused(parsed.error, where);
  return { name: parsed.data.name, definition: definitionOf(parsed.data, where) };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const keysOfAll = [...new Set(schema.options.flatMap((option) => Object.keys(option.shape)))];

function refused(error: z.ZodError, where: string): ButlerfsError {
  const issue = error.issues[0]!;
  const key = issue.path.join('.');
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  return new ButlerfsError('configuration', {
    what: unknown === undefined ? `sky map definition: ${key === '' ? 'the whole' : key}` : `sky map definition: unknown key '${unknown}'`,
    where,
    why: unknown === undefined ? issue.message.toLowerCase() : undefined,
    advice: unknown === undefined ? undefined : didYouMean(nearestNames(unknown, keysOfAll, 1)),
  });
}

function patchesOf(written: Written, defaultBorder: number, where: string): PatchScheme {
  if (written.patches === 'legacy') {
    return { kind: 'legacy', inner: written.patchInnerDimensions ?? [4000, 4000], border: written.patchBorder ?? defaultBorder };
  }
  const [cellInner, height] = written.cellInnerDimensions ?? [150, 150];
  if (cellInner !== height) throw new ButlerfsError('configuration', { what: 'cellInnerDimensions', where, why: 'cells are square' });
  return {
    kind: 'cells',
    cellInner,
    cellBorder: written.cellBorder ?? 50,
    cellsInner: written.numCellsPerPatchInner ?? 20,
    cellsBorder: written.numCellsInPatchBorder ?? 1,
  };
}

function definitionOf(written: Written, where: string): SkyMapDefinition {
  const own = defaults[written.kind];
  const shared = {
    projection: written.projection ?? own.projection,
    pixelScale: written.pixelScale ?? own.pixelScale,
    overlap: written.tractOverlap ?? own.overlap,
    rotation: written.rotation,
    patches: patchesOf(written, own.border, where),
  };
  switch (written.kind) {
    case 'rings':
      return { ...shared, kind: 'rings', numRings: written.numRings, raStart: written.raStart, version: written.version };
    case 'discrete': {
      const { raList, decList, radiusList } = written;
      if (decList.length !== raList.length || radiusList.length !== raList.length) {
        throw new ButlerfsError('configuration', {
          what: 'sky map definition',
          where,
          why: `raList has ${raList.length} values, decList ${decList.length}, radiusList ${radiusList.length}`,
        });
      }
      return { ...shared, kind: 'discrete', tracts: raList.map((ra, i) => ({ ra, dec: decList[i]!, radius: radiusList[i]! })) };
    }
    case 'equat':
      return { ...shared, kind: 'equat', numTracts: written.numTracts, decRange: written.decRange };
    case 'dodeca':
      return { ...shared, kind: 'dodeca', tractsOnPoles: written.withTractsOnPoles };
    case 'healpix':
      return { ...shared, kind: 'healpix', log2NSide: written.log2NSide, nest: written.nest };
  }
}
