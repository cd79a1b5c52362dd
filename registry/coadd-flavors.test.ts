import { describe, expect, it } from 'vitest';
import { coaddNameOf, flavorsSchema, givenFlavor } from './coadd-flavors.js';

describe('the name of a dataset type', () => {
  it.each([
    ['deepCoadd', 'coadd', 'deep'],
    ['deepCoadd_calexp', 'coadd_calexp', 'deep'],
    ['goodSeeingCoadd_calexp', 'coadd_calexp', 'goodSeeing'],
    ['dcrCoadd', 'coadd', 'dcr'],
    ['nightlyCoadd_forced_src', 'coadd_forced_src', 'nightly'],
    ['chi2Coadd_calexp', 'coadd_calexp', 'chi2'],
    ['chisquaredCoadd', 'coadd', 'chisquared'],
    ['deepCoaddPsfMatched', 'coaddPsfMatched', 'deep'],
    ['deep_coadd_predetection', 'coadd_predetection', 'deep'],
    ['good_seeing_coadd', 'coadd', 'good_seeing'],
    ['template_coadd', 'coadd', 'template'],
    ['old_deepCoadd', 'coadd', 'old_deep'],
  ])('%s is %s of flavor %s', (name, family, flavor) => {
    expect(coaddNameOf(name)).toEqual({ family, flavor });
  });

  it.each([
    'calexp',
    'coadd',
    'coadd_calexp',
    'Coadd',
    'deepCoadds',
    'assembleCoadd_metadata',
    'assembleCoadd_config',
    'deep_coadd_log',
    'deep_coadds',
    '_coadd',
  ])('%s is none of a coadd', (name) => {
    expect(coaddNameOf(name)).toBeUndefined();
  });
});

describe('a flavor', () => {
  it('is given by either spelling of its key', () => {
    expect(['flavor=deep', 'flavour=deep', 'flavors=deep', 'flavor', 'tract=1'].map(givenFlavor)).toEqual([
      'deep',
      'deep',
      undefined,
      undefined,
      undefined,
    ]);
  });

  it.each([{ coadd: 'deepCoadd' }, { 'a/b': { deep: 'x' } }, { coadd: { 'a b': 'x' } }, { coadd: { deep: '' } }, ['coadd']])(
    'of a configuration that is not understood: %j',
    (flavors) => {
      expect(flavorsSchema.safeParse(flavors).success).toBe(false);
    },
  );
});
