import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cameraOfMapper, readCamera } from './camera.js';
import type { Camera, FieldName, FieldValues } from './contract.js';
import { dimensionValue, patchText, sequentialPatch } from './fields.js';
import { compileTemplates } from './matcher.js';
import { CoaddBands } from './observed.js';

const hsc = readCamera('HSC', [], 'a test');
const matcher = compileTemplates(hsc);

/** A camera of these templates alone. */
function cameraWith(yaml: string): Camera {
  return readCamera(undefined, [{ text: yaml, where: 'butlerfs.yaml' }], 'a test');
}

describe('templates of HSC', () => {
  const cases: readonly [string, string, FieldValues][] = [
    [
      'raw',
      'STRIPE82L/2013-06-17/00533/HSC-R/HSC-0903334-022.fits',
      { field: 'STRIPE82L', dateObs: '2013-06-17', pointing: 533, filter: 'HSC-R', visit: 903334, ccd: 22 },
    ],
    ['calexp', '00533/HSC-R/corr/CORR-0903334-022.fits', { pointing: 533, filter: 'HSC-R', visit: 903334, ccd: 22 }],
    ['deepCoadd', 'deepCoadd/HSC-I/9813/4,5.fits', { filter: 'HSC-I', tract: 9813, patch: '4,5' }],
    ['deepCoadd_nImage', 'deepCoadd/HSC-I/9813/4,5_nImage.fits', { filter: 'HSC-I', tract: 9813, patch: '4,5' }],
    [
      'deepCoadd_directWarp',
      'deepCoadd/HSC-I/9813/4,5/warp-HSC-I-9813-4,5-1228.fits',
      { filter: 'HSC-I', tract: 9813, patch: '4,5', visit: 1228 },
    ],
    ['deepCoadd_mergeDet', 'deepCoadd-results/merged/9813/0,0/mergeDet-9813-0,0.fits', { tract: 9813, patch: '0,0' }],
    ['objectTable_tract', 'deepCoadd-results/merged/9813/objectTable-9813.parq', { tract: 9813 }],
    ['fcr', 'jointcal-results/0042/fcr-0001228-022.fits', { tract: 42, visit: 1228, ccd: 22 }],
    ['ref_cat', 'ref_cats/ps1_pv3/188768.fits', { name: 'ps1_pv3', pixel_id: 188_768 }],
    ['deepCoadd_skyMap', 'deepCoadd/skyMap.pickle', {}],
  ];
  test.each(cases)('%s: %s', (type, path, fields) => {
    expect(matcher.match('repository', path)).toEqual({ template: hsc.templates[type], fields });
    expect(matcher.template(type)?.format(fields)).toBe(path);
  });

  test('calibrations begin in a directory of their own', () => {
    const path = 'FLAT/2013-06-17/HSC-R/FLAT-2013-06-17-HSC-R-022.fits';
    expect(matcher.match('calibrations', path)?.template.type).toBe('flat');
    expect(matcher.match('repository', path)).toBeUndefined();
  });

  test.each([
    ['a backup of what was overwritten', 'deepCoadd-results/HSC-I/9813/4,4/calexp-HSC-I-9813-4,4.fits~1'],
    ['another filter in the name than in the directory', 'deepCoadd-results/HSC-I/9813/4,4/calexp-HSC-R-9813-4,4.fits'],
    ['another patch', 'deepCoadd-results/HSC-I/9813/4,4/calexp-HSC-I-9813-4,5.fits'],
    ['a number without its zeros', '533/HSC-R/corr/CORR-903334-22.fits'],
    ['a number with too many', '00533/HSC-R/corr/CORR-00903334-022.fits'],
    ['a number with zeros where none belong', 'deepCoadd/HSC-I/09813/4,5.fits'],
    ['too large a number', 'deepCoadd/HSC-I/9999999999999999999/4,5.fits'],
    ['no date', 'STRIPE82L/today/00533/HSC-R/HSC-0903334-022.fits'],
    ['a file where a directory belongs', 'deepCoadd'],
  ])('no dataset: %s', (_, path) => {
    expect(matcher.match('repository', path)).toBeUndefined();
  });

  test('every path that a template makes is a dataset of that type with that data ID', () => {
    const digits = fc.integer({ min: 0, max: 999_999_999 });
    const values: Record<FieldName, fc.Arbitrary<string | number>> = {
      field: fc.constantFrom('STRIPE82L', 'SSP UDEEP', 'a%b', 'ä'),
      dateObs: fc.constantFrom('2013-06-17', '2021-12-31'),
      pointing: digits,
      filter: fc.constantFrom('HSC-I', 'HSC-I2', 'NB0387', 'X.1-2'),
      visit: digits,
      ccd: digits,
      tract: digits,
      patch: fc.tuple(fc.nat(8), fc.nat(8)).map(([x, y]) => `${x},${y}`),
      calibDate: fc.constantFrom('2013-11-03', '2013-11-03T00:00:00'),
      subfilter: digits,
      name: fc.constantFrom('ps1_pv3', 'gaia dr2'),
      pixel_id: digits,
    };
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(hsc.templates)), fc.record(values), (type, all) => {
        const { fields, format, template } = matcher.template(type)!;
        const own = Object.fromEntries(fields.map((field) => [field, all[field]]));
        expect(matcher.match(template.root, format(own)!)).toEqual({ template, fields: own });
      }),
      { numRuns: 300 },
    );
  });

  test('a data ID without one of the fields has no path', () => {
    expect(matcher.template('calexp')?.format({ visit: 1228, ccd: 22 })).toBeUndefined();
  });

  test('only directories on the way of templates are reached', () => {
    const start = matcher.start('repository');
    expect(start.below('deepCoadd')?.below('HSC-I')?.below('9813')?.hasDirectories).toBe(true);
    expect(start.below('deepCoadd')?.below('HSC-I')?.below('not a tract')).toBeUndefined();
    expect(start.below('anything')?.below('not a date')).toBeUndefined();
  });
});

describe('which template a file is of', () => {
  test('the most specific one', () => {
    const { match } = compileTemplates(
      cameraWith(`templates:
  any: {path: "a/%(name)s.fits", dimensions: [catalogue]}
  special: {path: "a/x-%(name)s.fits", dimensions: [catalogue]}
  single: {path: "a/x-y.fits", dimensions: []}`),
    );
    expect(['a/x-y.fits', 'a/x-z.fits', 'a/z.fits'].map((path) => match('repository', path)?.template.type)).toEqual([
      'single',
      'special',
      'any',
    ]);
  });

  test('two types of one path are an error that shows both', () => {
    const text =
      'templates:\n  mine: {path: "%(pointing)05d/%(filter)s/corr/CORR-%(visit)07d-%(ccd)03d.fits", dimensions: [visit, detector]}';
    expect(() => readCamera('HSC', [{ text, where: 'butlerfs.yaml' }], 'a test')).toThrow(
      /'calexp: %\(pointing\)05d.*' and 'mine: .*butlerfs\.yaml.*same paths.*'calexp: null'/,
    );
    const without = readCamera('HSC', [{ text: `${text}\n  calexp: null`, where: 'butlerfs.yaml' }], 'a test');
    expect(compileTemplates(without).match('repository', '00533/HSC-R/corr/CORR-0903334-022.fits')?.template.type).toBe('mine');
  });

  test('the number of an HDU is no part of the name', () => {
    const camera = cameraWith('templates: {one: {path: "a/%(visit)d.fits[1]", dimensions: [visit]}}');
    expect(compileTemplates(camera).match('repository', 'a/7.fits')?.fields).toEqual({ visit: 7 });
  });
});

describe('a template file', () => {
  test('changes what it names', () => {
    const text = `
skymap: {name: mine, columns: 3, rows: 4, tracts: 10}
filters: {HSC-X: x}
templates:
  calexp: {path: "%(pointing)05d/%(filter)s/c/%(visit)07d-%(ccd)03d.fits"}
  icSrc: null`;
    const camera = readCamera('HSC', [{ text, where: 'butlerfs.yaml' }], 'a test');
    expect(camera.filters).toMatchObject({ 'HSC-X': 'x', 'HSC-I': 'i' });
    expect(camera.templates['calexp']).toMatchObject({ dimensions: ['visit', 'detector'], storageClass: 'ExposureF' });
    expect(Object.keys(camera.templates)).not.toContain('icSrc');
    expect(sequentialPatch(camera.skymap, '2,3')).toBe(11);
    expect(sequentialPatch(camera.skymap, '3,0')).toBeUndefined();
  });

  test.each([
    ['skymapp: {}', /butlerfs\.yaml:1: unknown key 'skymapp'; did you mean 'skymap'\?/],
    ['templates:\n  a:\n    path: x\n    dimensoins: []', /butlerfs\.yaml:4: unknown key .*did you mean 'dimensions'\?/],
    [
      'templates:\n  a: {path: "x/%(vist)07d.fits", dimensions: [visit]}',
      /butlerfs\.yaml:2, template 'a': unknown field 'vist'; did you mean 'visit'/,
    ],
    [
      'templates:\n  a: {path: "x/%(visit)07d.fits", dimensions: [visit, detectr]}',
      /:2, template 'a': unknown dimension 'detectr'; did you mean 'detector'/,
    ],
    [
      'templates:\n  a: {path: "x/%(visit)07d.fits", dimensions: [visit, detector]}',
      /:2, template 'a': its path has no field %\(ccd\), which gives detector/,
    ],
    ['templates:\n  a: {path: "x/%(visit)s.fits", dimensions: [visit]}', /visit is written as %\(visit\)d/],
    ['templates:\n  a: {path: "x/%(filter)05d.fits", dimensions: [band]}', /filter is written as %\(filter\)s/],
    ['templates:\n  a: {path: "x/%d.fits", dimensions: []}', /begins no field/],
    ['templates:\n  a: {path: "../x.fits", dimensions: []}', /empty component, '.' or '..'/],
    ['templates:\n  a: {path: "/x.fits", dimensions: []}', /empty component/],
    ['templates:\n  a: {path: "%(field)s/%(tract)d", dimensions: [tract]}', /no dimension of it comes from the field %\(field\)/],
    ['templates:\n  a: {dimensions: []}', /:2, template 'a': it has no 'path'/],
    ['templates:\n  a: {path: x, dimensions: [], validity: [ccd]}', /needs 'root: calibrations'/],
    ['templates:\n  "a/b": {path: x, dimensions: []}', /a dataset type is letters/],
    ['camera: HSCC\ntemplates: {}', /camera 'HSCC'.*did you mean 'HSC'/],
    ['templates:\n  calexp: null', /there is none of this name to leave out/],
    ['a: [', /butlerfs\.yaml:\d/],
    ['templates: 7', /butlerfs\.yaml:1: 'templates'/],
    ['skymap: {name: x, columns: 0, rows: 1, tracts: 1}', /butlerfs\.yaml:1: 'skymap\.columns'/],
  ])('%j', (text, message) => {
    let error: unknown;
    try {
      cameraWith(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ message: expect.stringMatching(message) as string });
  });

  test('a mapper that is not known needs one', () => {
    expect(cameraOfMapper('lsst.obs.hsc.hscMapper.HscMapper')).toBe('HSC');
    expect(cameraOfMapper('lsst.obs.decam.DecamMapper')).toBeUndefined();
    expect(() => readCamera(undefined, [], '/data/decam')).toThrow(
      /camera of \/data\/decam: its _mapper is of none that is known \(HSC\).*butlerfs\.yaml/,
    );
  });
});

describe('values', () => {
  test('patches count along x first', () => {
    for (let patch = 0; patch < 81; patch++) expect(sequentialPatch(hsc.skymap, patchText(hsc.skymap, patch))).toBe(patch);
    expect([sequentialPatch(hsc.skymap, '4,5'), sequentialPatch(hsc.skymap, '9,0'), sequentialPatch(hsc.skymap, '0,9')]).toEqual([
      49,
      undefined,
      undefined,
    ]);
  });

  test('trixels are of level 7', () => {
    const value = (pixel_id: number) => dimensionValue('htm7', { pixel_id }, hsc, String);
    expect([value(131_071), value(131_072), value(262_143), value(262_144)]).toEqual([undefined, 131_072, 262_143, undefined]);
  });

  test('coadds of two filters of one band stay apart', () => {
    const bands = (...used: string[]) => new CoaddBands(hsc, new Set(used), used);
    expect(['HSC-I', 'HSC-I2'].map((filter) => bands('HSC-I', 'HSC-I2').of(filter))).toEqual(['i', 'HSC-I2']);
    expect(bands('HSC-I2').of('HSC-I2')).toBe('i');
    expect(bands('HSC-X').of('HSC-X')).toBe('HSC-X');
    // A filter that is named like a band of others.
    expect(['HSC-I', 'i'].map((filter) => cameraBands('HSC-I', 'i').of(filter))).toEqual(['i', 'filter i']);
  });

  function cameraBands(...used: string[]): CoaddBands {
    return new CoaddBands(hsc, new Set(used), used);
  }
});
