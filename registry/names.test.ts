import { describe, expect, it } from 'vitest';
import { parseRepositoryNames } from './names.js';

const parse = (text: string) => parseRepositoryNames(text, 'butlerfs.yaml');

describe("a repository's names", () => {
  it('are its aliases and flavors; other keys are for others', () => {
    const text = `
aliases:
  chip: detector
  ccdnum: {means: detector, instrument: DECam}
  ccdname: [{means: detector, instrument: HSC, field: full_name}, {means: detector, values: {left: 1, right: S2}}]
flavors: {coadd: {best: myBest}}
datasetTypes: {any: thing}
`;
    expect(parse(text)).toEqual({
      aliases: {
        chip: 'detector',
        ccdnum: { means: 'detector', instrument: 'DECam' },
        ccdname: [
          { means: 'detector', instrument: 'HSC', field: 'full_name' },
          { means: 'detector', values: { left: 1, right: 'S2' } },
        ],
      },
      flavors: { coadd: { best: 'myBest' } },
    });
    expect(parse('')).toBeUndefined();
    expect(parse('templates: {}')).toBeUndefined();
  });

  it.each([
    ['aliases: [chip]', "butlerfs.yaml:1: 'aliases'"],
    ['aliases:\n  chip: 3', "butlerfs.yaml:2: 'aliases.chip' must be a name, or what it means"],
    ['aliases:\n  chip: {mean: detector}', "butlerfs.yaml:2: 'aliases.chip"],
    ['aliases:\n  chip: {means: detector, instrment: HSC}', "'aliases.chip.instrment' is an unknown key; did you mean 'instrument'?"],
    ['aliases:\n  chip: []', "butlerfs.yaml:2: 'aliases.chip'"],
    ['aliases:\n  chip:\n    - means: detector\n      values: {left: 1.5}', 'butlerfs.yaml:4'],
    ['aliases:\n  chip: {means: detector, field: full_name, values: {left: 1}}', 'gives values or a field, not both'],
    ['aliases:\n  "a/b": detector', 'letters, digits and underscores'],
    ['flavors:\n  coadd: {deep: 3}', "butlerfs.yaml:2: 'flavors.coadd.deep' must be a string"],
    ['aliases: {chip', 'butlerfs.yaml:1'],
    ['- aliases', 'butlerfs.yaml:1'],
    ['just text', 'butlerfs.yaml:1'],
  ])('%j is refused', (text, message) => {
    const refused = expect.objectContaining({ code: 'configuration', message: expect.stringContaining(message) as string }) as Error;
    expect(() => parse(text)).toThrow(refused);
  });
});
