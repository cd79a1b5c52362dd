/**
 * The dimensions of a Gen2 repository, in the form that registry/universe.ts reads.
 *
 * They are those of Gen3 as far as paths go, but for filters. In Gen2 the files of coadds carry a physical filter, and one camera is all there is; here
 *
 * - `physical_filter` needs no instrument, so that coadds have the keys that they have in Gen3: skymap, tract, patch, band;
 * - `band` implies the `physical_filter` that its coadds are of (registry/readers/gen2/records.ts), so that either name finds a coadd;
 * - `visit` and `exposure` imply both themselves, as their registry says: HSC-I2 is of band i as well;
 * - `exposure` implies `visit`: in Gen2 they are one, and raw files have either key.
 */

const text = (name: string) => ({ name, type: 'string' });
const integer = (name: string) => ({ name, type: 'int' });
const number = (name: string) => ({ name, type: 'float' });

const observation = [
  integer('timespan_begin'),
  integer('timespan_end'),
  number('exposure_time'),
  text('target_name'),
  text('science_program'),
  integer('pointing'),
  text('field'),
  text('dateObs'),
  text('taiObs'),
];

export const gen2Universe: string = JSON.stringify({
  version: 1,
  namespace: 'butlerfs_gen2',
  skypix: { common: 'htm7', htm: { class: 'lsst.sphgeom.HtmPixelization', max_level: 24 } },
  elements: {
    instrument: { keys: [text('name')], governor: true, metadata: [integer('detector_max')] },
    physical_filter: { keys: [text('name')], metadata: [text('band')] },
    band: { keys: [text('name')], implies: ['physical_filter'] },
    detector: { keys: [integer('id')], requires: ['instrument'], metadata: [text('full_name'), text('purpose')] },
    day_obs: { keys: [integer('id')], requires: ['instrument'] },
    visit: { keys: [integer('id')], requires: ['instrument'], implies: ['physical_filter', 'band', 'day_obs'], metadata: observation },
    exposure: {
      keys: [integer('id')],
      requires: ['instrument'],
      implies: ['visit', 'physical_filter', 'band', 'day_obs'],
      metadata: observation,
    },
    skymap: {
      keys: [text('name')],
      governor: true,
      metadata: [integer('tract_max'), integer('patch_nx_max'), integer('patch_ny_max')],
    },
    tract: { keys: [integer('id')], requires: ['skymap'] },
    patch: { keys: [integer('id')], requires: ['skymap', 'tract'], metadata: [integer('cell_x'), integer('cell_y')] },
    subfilter: { keys: [integer('id')], requires: ['band'] },
    catalogue: { keys: [text('name')] },
  },
});
