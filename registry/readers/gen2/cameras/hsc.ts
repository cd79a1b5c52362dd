/**
 * Hyper Suprime-Cam: its filters, its sky map, and where obs_subaru and obs_base put files (obs_subaru 23, pipe_tasks of w.2021.52).
 *
 * Data only. `butlerfs.yaml` in a repository has the same keys (camera.ts).
 */

import type { CameraFile } from '../camera.js';

const exposure = ['exposure', 'detector'];
const visit = ['visit', 'detector'];
const coadd = ['tract', 'patch', 'band'];
const warp = ['tract', 'patch', 'visit'];
const patch = ['tract', 'patch'];

const corr = '%(pointing)05d/%(filter)s/corr';
const output = '%(pointing)05d/%(filter)s/output';
const ccd = '%(visit)07d-%(ccd)03d';
const coaddPatch = 'deepCoadd/%(filter)s/%(tract)d/%(patch)s';
const results = 'deepCoadd-results/%(filter)s/%(tract)d/%(patch)s';
const resultName = '%(filter)s-%(tract)d-%(patch)s';
const merged = 'deepCoadd-results/merged/%(tract)d/%(patch)s';
const mergedName = '%(tract)d-%(patch)s';

export const hsc: CameraFile = {
  instrument: 'HSC',
  detectors: { science: 104, focus: 8, maximum: 200 },
  skymap: { name: 'hsc_rings_v1', columns: 9, rows: 9, tracts: 18_938 },
  filters: {
    'HSC-G': 'g',
    'HSC-R': 'r',
    'HSC-R2': 'r',
    'ENG-R1': 'r',
    'HSC-I': 'i',
    'HSC-I2': 'i',
    'HSC-Z': 'z',
    'HSC-Y': 'y',
    NB0387: 'N387',
    NB0400: 'N400',
    NB0468: 'N468',
    NB0515: 'N515',
    NB0527: 'N527',
    NB0656: 'N656',
    NB0718: 'N718',
    NB0816: 'N816',
    NB0921: 'N921',
    NB0926: 'N926',
    NB0973: 'N973',
    NB1010: 'N1010',
    IB0945: 'I945',
  },
  locations: {
    rerun: 'rerun/{rerun}',
    calib: 'CALIB',
    corr,
    output,
    warp: coaddPatch,
    coadd: results,
    merged,
  },
  templates: {
    raw: { path: `%(field)s/%(dateObs)s/%(pointing)05d/%(filter)s/HSC-${ccd}.fits`, dimensions: exposure, 'storage-class': 'ExposureU' },
    postISRCCD: { path: 'postISRCCD/v%(visit)07d-f%(filter)s/c%(ccd)03d.fits', dimensions: visit, 'storage-class': 'ExposureF' },
    icExp: { path: `${corr}/ICEXP-${ccd}.fits`, dimensions: visit, 'storage-class': 'ExposureF' },
    calexp: { path: `${corr}/CORR-${ccd}.fits`, dimensions: visit, 'storage-class': 'ExposureF' },
    calexpBackground: { path: `${corr}/BKGD-${ccd}.fits`, dimensions: visit, 'storage-class': 'Background' },
    skyCorr: { path: `${corr}/skyCorr-${ccd}.fits`, dimensions: visit, 'storage-class': 'Background' },
    src: { path: `${output}/SRC-${ccd}.fits`, dimensions: visit, 'storage-class': 'SourceCatalog' },
    icSrc: { path: `${output}/ICSRC-${ccd}.fits`, dimensions: visit, 'storage-class': 'SourceCatalog' },
    srcMatch: { path: `${output}/SRCMATCH-${ccd}.fits`, dimensions: visit, 'storage-class': 'Catalog' },
    srcMatchFull: { path: `${output}/SRCMATCHFULL-${ccd}.fits`, dimensions: visit, 'storage-class': 'Catalog' },
    sourceTable_visit: { path: `${output}/sourceTable-%(visit)07d.parq`, dimensions: ['visit'], 'storage-class': 'DataFrame' },
    visitSummary: { path: `${output}/visitSummary-%(visit)07d.fits`, dimensions: ['visit'], 'storage-class': 'ExposureCatalog' },
    forced_src: {
      path: `%(pointing)05d/%(filter)s/tract%(tract)d/FORCEDSRC-${ccd}.fits`,
      dimensions: ['tract', ...visit],
      'storage-class': 'SourceCatalog',
    },
    fcr: { path: `jointcal-results/%(tract)04d/fcr-${ccd}.fits`, dimensions: ['tract', ...visit], 'storage-class': 'FitsCatalog' },
    wcs: { path: `jointcal-results/%(tract)04d/wcs-${ccd}.fits`, dimensions: ['tract', ...visit], 'storage-class': 'Wcs' },
    jointcal_wcs: {
      path: `jointcal-results/%(filter)s/%(tract)04d/jointcal_wcs-${ccd}.fits`,
      dimensions: ['tract', ...visit],
      'storage-class': 'Wcs',
    },
    jointcal_photoCalib: {
      path: `jointcal-results/%(filter)s/%(tract)04d/jointcal_photoCalib-${ccd}.fits`,
      dimensions: ['tract', ...visit],
      'storage-class': 'PhotoCalib',
    },
    fgcm_photoCalib: {
      path: 'fgcm-results/%(filter)s/fgcm_photoCalib-%(visit)05d-%(ccd)03d.fits',
      dimensions: visit,
      'storage-class': 'PhotoCalib',
    },
    deepCoadd_directWarp: { path: `${coaddPatch}/warp-${resultName}-%(visit)d.fits`, dimensions: warp, 'storage-class': 'ExposureF' },
    deepCoadd_psfMatchedWarp: {
      path: `${coaddPatch}/psfMatchedWarp-${resultName}-%(visit)d.fits`,
      dimensions: warp,
      'storage-class': 'ExposureF',
    },
    deepCoadd: { path: `${coaddPatch}.fits`, dimensions: coadd, 'storage-class': 'ExposureF' },
    deepCoadd_nImage: { path: `${coaddPatch}_nImage.fits`, dimensions: coadd, 'storage-class': 'ImageU' },
    deepCoadd_skyMap: { path: 'deepCoadd/skyMap.pickle', dimensions: ['skymap'], 'storage-class': 'SkyMap' },
    brightObjectMask: {
      path: `deepCoadd/BrightObjectMasks/%(tract)d/BrightObjectMask-%(tract)d-%(patch)s-%(filter)s.reg`,
      dimensions: coadd,
      'storage-class': 'ObjectMaskCatalog',
    },
    deepCoadd_calexp: { path: `${results}/calexp-${resultName}.fits`, dimensions: coadd, 'storage-class': 'ExposureF' },
    deepCoadd_det: { path: `${results}/det-${resultName}.fits`, dimensions: coadd, 'storage-class': 'SourceCatalog' },
    deepCoadd_meas: { path: `${results}/meas-${resultName}.fits`, dimensions: coadd, 'storage-class': 'SourceCatalog' },
    deepCoadd_forced_src: { path: `${results}/forced_src-${resultName}.fits`, dimensions: coadd, 'storage-class': 'SourceCatalog' },
    deepCoadd_measMatch: { path: `${results}/srcMatch-${resultName}.fits`, dimensions: coadd, 'storage-class': 'Catalog' },
    deepCoadd_measMatchFull: { path: `${results}/srcMatchFull-${resultName}.fits`, dimensions: coadd, 'storage-class': 'Catalog' },
    deepCoadd_calexp_background: { path: `${results}/det_bkgd-${resultName}.fits`, dimensions: coadd, 'storage-class': 'Background' },
    measureCoaddSources_metadata: { path: `${results}/measMD-${resultName}.yaml`, dimensions: coadd, 'storage-class': 'PropertySet' },
    deepCoadd_mergeDet: { path: `${merged}/mergeDet-${mergedName}.fits`, dimensions: patch, 'storage-class': 'SourceCatalog' },
    deepCoadd_ref: { path: `${merged}/ref-${mergedName}.fits`, dimensions: patch, 'storage-class': 'SourceCatalog' },
    deepCoadd_obj: { path: `${merged}/obj-${mergedName}.parq`, dimensions: patch, 'storage-class': 'DataFrame' },
    objectTable_tract: {
      path: 'deepCoadd-results/merged/%(tract)d/objectTable-%(tract)d.parq',
      dimensions: ['tract'],
      'storage-class': 'DataFrame',
    },
    processCcd_metadata: {
      path: `%(pointing)05d/%(filter)s/processCcd_metadata/${ccd}.yaml`,
      dimensions: visit,
      'storage-class': 'PropertySet',
    },
    processCcd_config: { path: 'config/processCcd.py', dimensions: [], 'storage-class': 'Config' },
    src_schema: { path: 'schema/src.fits', dimensions: [], 'storage-class': 'SourceCatalog' },
    packages: { path: 'config/packages.pickle', dimensions: [], 'storage-class': 'Packages' },
    ref_cat: { path: 'ref_cats/%(name)s/%(pixel_id)d.fits', dimensions: ['catalogue', 'htm7'], 'storage-class': 'SimpleCatalog' },
    ref_cat_config: { path: 'ref_cats/%(name)s/config.py', dimensions: ['catalogue'], 'storage-class': 'Config' },
    bias: {
      path: 'BIAS/%(calibDate)s/NONE/BIAS-%(calibDate)s-%(ccd)03d.fits',
      root: 'calibrations',
      dimensions: ['detector'],
      'storage-class': 'ExposureF',
      validity: ['ccd'],
    },
    dark: {
      path: 'DARK/%(calibDate)s/NONE/DARK-%(calibDate)s-%(ccd)03d.fits',
      root: 'calibrations',
      dimensions: ['detector'],
      'storage-class': 'ExposureF',
      validity: ['ccd'],
    },
    flat: {
      path: 'FLAT/%(calibDate)s/%(filter)s/FLAT-%(calibDate)s-%(filter)s-%(ccd)03d.fits',
      root: 'calibrations',
      dimensions: ['detector', 'physical_filter'],
      'storage-class': 'ExposureF',
      validity: ['ccd', 'filter'],
    },
    fringe: {
      path: 'FRINGE/%(calibDate)s/%(filter)s/FRINGE-%(calibDate)s-%(filter)s-%(ccd)03d.fits',
      root: 'calibrations',
      dimensions: ['detector', 'physical_filter'],
      'storage-class': 'ExposureF',
      validity: ['ccd', 'filter'],
    },
    sky: {
      path: 'SKY/%(calibDate)s/%(filter)s/SKY-%(calibDate)s-%(filter)s-%(ccd)03d.fits',
      root: 'calibrations',
      dimensions: ['detector', 'physical_filter'],
      'storage-class': 'ExposureF',
      validity: ['ccd', 'filter'],
    },
    defects: {
      path: 'defects/%(calibDate)s/defects-%(calibDate)s-%(ccd)03d.fits',
      root: 'calibrations',
      dimensions: ['detector'],
      'storage-class': 'Defects',
      validity: ['ccd'],
    },
    bfKernel: {
      path: 'BFKERNEL/brighter_fatter_kernel.pkl',
      root: 'calibrations',
      dimensions: ['instrument'],
      'storage-class': 'BrighterFatterKernel',
    },
  },
};
