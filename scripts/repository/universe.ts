/**
 * The dimension universe of the repositories written here: the part of `daf_butler` version 8 that images need.
 *
 * Format: the JSON that a Gen3 registry keeps in `butler_attributes` under `config:dimensions.json`.
 */

export type ColumnType = 'int' | 'string' | 'float' | 'bool' | 'hash';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** Characters, for strings. */
  readonly length?: number;
  /** Bytes, for hashes. */
  readonly nbytes?: number;
  readonly nullable?: boolean;
}

export interface Element {
  readonly doc: string;
  /** The first is the primary key; the others are unique beside it. */
  readonly keys?: readonly Column[];
  readonly requires?: readonly string[];
  readonly implies?: readonly string[];
  readonly metadata?: readonly Column[];
  readonly governor?: boolean;
  readonly populated_by?: string;
  readonly always_join?: boolean;
  readonly storage: object;
}

const STORAGE = 'lsst.daf.butler.registry.dimensions';
const governor = { cls: `${STORAGE}.governor.BasicGovernorDimensionRecordStorage` };
const table = { cls: `${STORAGE}.table.TableDimensionRecordStorage` };
const cached = { cls: `${STORAGE}.caching.CachingDimensionRecordStorage`, nested: table };
const bandView = {
  cls: `${STORAGE}.caching.CachingDimensionRecordStorage`,
  nested: { cls: `${STORAGE}.query.QueryDimensionRecordStorage`, view_of: 'physical_filter' },
};

const id: Column = { name: 'id', type: 'int' };
const name = (length: number): Column => ({ name: 'name', type: 'string', length });
const text = (column: string, length: number): Column => ({ name: column, type: 'string', length });
const integer = (column: string): Column => ({ name: column, type: 'int' });
const float = (column: string): Column => ({ name: column, type: 'float' });
const flag = (column: string): Column => ({ name: column, type: 'bool' });

export const ELEMENTS: Readonly<Record<string, Element>> = {
  instrument: {
    doc: 'What takes exposures; it defines detectors, physical filters and how its exposures and visits are numbered.',
    keys: [name(32)],
    metadata: [integer('visit_max'), integer('visit_system'), integer('exposure_max'), integer('detector_max'), text('class_name', 64)],
    governor: true,
    storage: governor,
  },
  band: { doc: 'A range of wavelengths, whatever instrument sees it.', keys: [name(32)], storage: bandView },
  physical_filter: {
    doc: 'A filter of one instrument.',
    keys: [name(32)],
    requires: ['instrument'],
    implies: ['band'],
    storage: cached,
  },
  detector: {
    doc: 'One detector of an instrument.',
    keys: [id, text('full_name', 32)],
    requires: ['instrument'],
    metadata: [text('name_in_raft', 32), text('raft', 32), text('purpose', 32)],
    storage: cached,
  },
  group: { doc: 'Exposures taken together.', keys: [name(64)], requires: ['instrument'], storage: table },
  day_obs: { doc: 'A night of observations, as YYYYMMDD.', keys: [id], requires: ['instrument'], storage: table },
  visit: {
    doc: 'Exposures of one pointing in one filter that are processed together.',
    keys: [id, name(64)],
    requires: ['instrument'],
    implies: ['physical_filter', 'day_obs'],
    metadata: [
      integer('seq_num'),
      float('exposure_time'),
      text('target_name', 64),
      text('observation_reason', 68),
      text('science_program', 64),
      float('azimuth'),
      float('zenith_angle'),
    ],
    storage: table,
  },
  exposure: {
    doc: 'One opening of the shutter.',
    keys: [id, text('obs_id', 64)],
    requires: ['instrument'],
    implies: ['physical_filter', 'group', 'day_obs'],
    metadata: [
      float('exposure_time'),
      float('dark_time'),
      text('observation_type', 16),
      text('observation_reason', 68),
      integer('seq_num'),
      integer('seq_start'),
      integer('seq_end'),
      text('target_name', 64),
      text('science_program', 64),
      float('tracking_ra'),
      float('tracking_dec'),
      float('sky_angle'),
      float('azimuth'),
      float('zenith_angle'),
      flag('has_simulated'),
      flag('can_see_sky'),
    ],
    storage: table,
  },
  skymap: {
    doc: 'A division of the sky into tracts and patches.',
    keys: [name(64), { name: 'hash', type: 'hash', nbytes: 40 }],
    metadata: [integer('tract_max'), integer('patch_nx_max'), integer('patch_ny_max')],
    governor: true,
    storage: governor,
  },
  tract: { doc: 'A large area of the sky with one map projection.', keys: [id], requires: ['skymap'], storage: table },
  patch: {
    doc: 'A rectangular part of a tract.',
    keys: [id],
    requires: ['skymap', 'tract'],
    metadata: [
      { name: 'cell_x', type: 'int', nullable: false },
      { name: 'cell_y', type: 'int', nullable: false },
    ],
    storage: table,
  },
  visit_detector_region: {
    doc: 'Where on the sky a detector looked in a visit.',
    requires: ['visit', 'detector'],
    populated_by: 'visit',
    storage: table,
  },
  visit_system: { doc: 'A way to define visits.', keys: [id, name(32)], requires: ['instrument'], storage: cached },
  visit_definition: {
    doc: 'Which exposures make a visit.',
    requires: ['exposure', 'visit'],
    populated_by: 'visit',
    always_join: true,
    storage: table,
  },
  visit_system_membership: {
    doc: 'Which visits a visit system has.',
    requires: ['visit', 'visit_system'],
    populated_by: 'visit',
    always_join: true,
    storage: table,
  },
};

export const TOPOLOGY = {
  spatial: { observation_regions: ['visit_detector_region', 'visit'], skymap_regions: ['patch', 'tract'] },
  temporal: { observation_timespans: ['exposure', 'visit', 'day_obs'] },
} as const;

const PACKER = 'lsst.daf.butler.instrument.ObservationDimensionPacker';

/** The JSON text. */
export function universeJson(): string {
  return JSON.stringify({
    version: 8,
    namespace: 'daf_butler',
    skypix: {
      common: 'htm7',
      htm: { class: 'lsst.sphgeom.HtmPixelization', max_level: 24 },
      healpix: { class: 'lsst.sphgeom.HealpixPixelization', max_level: 17 },
    },
    elements: ELEMENTS,
    topology: TOPOLOGY,
    packers: {
      visit_detector: { fixed: ['instrument'], dimensions: ['instrument', 'visit', 'detector'], cls: PACKER },
      exposure_detector: { fixed: ['instrument'], dimensions: ['instrument', 'exposure', 'detector'], cls: PACKER },
    },
  });
}

/** Names of the dimensions whose values identify a record of the element, itself last where it is a dimension. */
export function requiredOf(element: string): string[] {
  const { requires = [], keys } = ELEMENTS[element]!;
  const names = new Set(requires.flatMap(requiredOf));
  if (keys !== undefined) names.add(element);
  return [...names];
}

/** Column that other tables' columns of this dimension's name refer to. */
export function keyOf(dimension: string): Column {
  return ELEMENTS[dimension]!.keys![0]!;
}
