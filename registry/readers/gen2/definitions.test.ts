import { describe, expect, test } from 'vitest';
import { readCamera } from './camera.js';
import type { Camera } from './contract.js';
import { compileTemplates } from './matcher.js';

function defined(text: string, users?: Parameters<typeof readCamera>[3]): Camera {
  return readCamera('HSC', [{ text, where: 'butlerfs.yaml' }], 'a test', users);
}

const mine = `
locations:
  mine: rerun/{rerun}/my
datasetTypes:
  myTable:
    dimensions: [visit, detector]
    location: mine
    template: '{visit:07d}-{detector:03d}.fits'
    format: fits
  myCoadd: {dimensions: [tract, patch, band], location: coadd, name: 'my-{band}-{tract}-{patch}', format: parquet}
  myFlat: {dimensions: [detector, physical_filter], location: calib, template: 'MYFLAT/{filter}-{ccd:03d}.fits'}
`;

describe('definitions in butlerfs.yaml', () => {
  test('are templates like those of the camera, below its locations', () => {
    const { templates } = defined(mine);
    expect(templates['myTable']).toMatchObject({ root: 'rerun', path: 'my/%(visit)07d-%(ccd)03d.fits', where: 'butlerfs.yaml:5' });
    expect(templates['myCoadd']).toMatchObject({
      root: 'repository',
      path: 'deepCoadd-results/%(filter)s/%(tract)d/%(patch)s/my-%(filter)s-%(tract)d-%(patch)s.parq',
      storageClass: 'DataFrame',
    });
    expect(templates['myFlat']).toMatchObject({ root: 'calibrations', path: 'MYFLAT/%(filter)s-%(ccd)03d.fits' });
    const match = compileTemplates(defined(mine)).match('rerun', 'my/0903334-022.fits');
    expect(match).toMatchObject({ template: { type: 'myTable' }, fields: { visit: 903334, ccd: 22 } });
    expect(compileTemplates(defined(mine)).match('repository', 'my/0903334-022.fits')).toBeUndefined();
  });

  test('that say again what is there change nothing', () => {
    const again = `datasetTypes: {calexp: {dimensions: [visit, detector], location: corr, template: 'CORR-{visit:07d}-{detector:03d}.fits'}}`;
    expect(defined(again).templates).toEqual(defined('').templates);
  });

  test.each([
    [
      `{dimensions: [tract], template: 'deepCoadd-results/merged/{tract}/x.fits', storagClass: X}`,
      /butlerfs\.yaml:2: unknown key.*storageClass/,
    ],
    [
      `{dimensions: [visit, detektor], template: 'a/{visit}'}`,
      /butlerfs\.yaml:2, dataset type 't': unknown dimension 'detektor'; did you mean 'detector'/,
    ],
    [`{dimensions: [visit, detector], template: 'a/{visit}.fits'}`, /has no field %\(ccd\), which gives detector/],
    [`{dimensions: [visit], template: 'a/{vist}.fits'}`, /unknown field 'vist'; did you mean 'visit'/],
    [`{dimensions: [visit], template: 'a/{visit:07x}.fits'}`, /of a form that is not understood/],
    [`{dimensions: [tract, patch], template: 'a/{tract}-{patch:03d}.fits'}`, /patch is written as \{patch\}/],
    [`{dimensions: [visit], template: '/a/{visit}.fits'}`, /is absolute/],
    [`{dimensions: [visit], template: '../{visit}.fits'}`, /'\.\.'/],
    [`{dimensions: [visit], template: 'a/{visit}-{tract}.fits'}`, /several files would have one data ID/],
    [`{dimensions: [visit], template: 'rerun/me/{visit}.fits'}`, /write rerun\/\{rerun\}/],
    [`{dimensions: [visit], template: 'x/{rerun}/{visit}.fits'}`, /does not follow rerun/],
    [`{dimensions: [visit], location: coad, name: '{visit}.fits'}`, /no location 'coad'; did you mean 'coadd'/],
    [`{dimensions: [visit], location: coadd, name: 'a/{visit}.fits'}`, /holds a slash/],
    [`{dimensions: [visit], name: '{visit}.fits'}`, /no 'location'/],
    [`{dimensions: [visit]}`, /no 'template'/],
    [`{dimensions: [visit], template: 'a/{visit}', name: x, location: coadd}`, /both/],
    [`{dimensions: [visit], template: 'a/{visit}.parq', format: fits}`, /format is fits, and its path ends in '\.parq'/],
    [`{dimensions: [visit], template: 'a/{visit}', format: fts}`, /must be one of fits/],
    [`{dimensions: [visit], template: 'a/{visit}', collection: u}`, /Gen2/],
  ])('%s is refused', (definition, message) => {
    expect(() => defined(`datasetTypes:\n  t: ${definition}`)).toThrow(message);
  });

  test('of one name and another meaning are refused, and both are shown', () => {
    expect(() => defined(`datasetTypes: {calexp: {dimensions: [visit, detector], template: 'mine/{visit}-{detector}.fits'}}`)).toThrow(
      /'calexp' is defined twice: calexp \(visit, detector; ExposureF\) at '%\(pointing\)05d.*\[camera HSC\] and calexp .* at 'mine\/\{visit\}-\{detector\}\.fits' \[butlerfs\.yaml:1\]/,
    );
  });

  test.each([
    [
      `{dimensions: [visit, detector], template: '{pointing}/{filter}/corr/CORR-{visit:07d}-{detector:03d}.fits'}`,
      /'calexp' and 't' have paths in common.*CORR-.*camera HSC.*butlerfs\.yaml:1/,
    ],
    [
      `{dimensions: [tract, patch, band], template: 'rerun/{rerun}/deepCoadd/{band}/{tract}/{patch}.fits'}`,
      /'deepCoadd' and 't'.*rerun\/\{rerun\}/,
    ],
  ])('with paths of another type are refused, and both are shown: %s', (definition, message) => {
    expect(() => defined(`datasetTypes: {t: ${definition}}`)).toThrow(message);
  });

  test('of the user that fit no such repository are passed over, others are compared as well', () => {
    const definition = { name: 't', dimensions: ['group'], template: 'a/{group}.fits', where: 'config.yaml:2' };
    expect(() => defined('', [{ definitions: [definition], locations: [] }])).toThrow(/config\.yaml:2, dataset type 't'/);
    expect(defined('', [{ definitions: [{ ...definition, isGeneral: true }], locations: [] }]).templates['t']).toBeUndefined();
    const users = { name: 'myTable', dimensions: ['visit'], template: 'a/{visit}.fits', where: 'config.yaml:2' };
    expect(() => defined(mine, [{ definitions: [users], locations: [] }])).toThrow(/butlerfs\.yaml:5\] and .*config\.yaml:2/);
  });
});
