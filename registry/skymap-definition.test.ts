import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { namedSkyMaps } from '../sky/skymaps/named.js';
import { openSkyMap } from '../sky/skymaps/open.js';
import { parseSkyMapDefinition } from './skymap-definition.js';

const rings = 'name: x\nkind: rings\nnumRings: 120\nprojection: TAN\ntractOverlap: 0.016666666666666666\n';

describe('definitions of sky maps', () => {
  it.each([
    ['hsc_rings_v1', `${rings}pixelScale: 0.168\n`],
    ['DC2', `${rings}pixelScale: 0.2\n`],
    ['lsst_cells_v1', `${rings}pixelScale: 0.2\npatches: cells\n`],
  ])('of %s are those that are built in', (name, text) => {
    expect(parseSkyMapDefinition(parse(text), 'x.yaml')).toEqual({ name: 'x', definition: namedSkyMaps[name] });
  });

  it.each([
    ['{name: a, kind: discrete, raList: [1, 2], decList: [3, 4], radiusList: [1, 1]}', 2],
    ['{name: a, kind: equat}', 4],
    ['{name: a, kind: dodeca, withTractsOnPoles: true}', 12],
    ['{name: a, kind: healpix, log2NSide: 1}', 48],
  ])('have the defaults of lsst.skymap: %s', (text, tracts) => {
    const { definition } = parseSkyMapDefinition(parse(text), 'x.yaml');
    expect(openSkyMap(definition).tractCount).toBe(tracts);
    expect(definition.rotation).toBe(definition.kind === 'healpix' ? 45 : 0);
    expect(definition.patches).toMatchObject({ kind: 'legacy', border: definition.kind === 'dodeca' ? 250 : 100 });
  });

  it.each([
    ['null', 'in x.yaml'],
    ['{name: a, kind: ring, numRings: 3}', 'kind'],
    ['{name: a, kind: rings}', 'numRings'],
    ['{name: a, kind: rings, numRings: 0}', 'numRings'],
    ['{name: a, kind: rings, numRings: 3, pixelscale: 1}', "unknown key 'pixelscale' in x.yaml; did you mean 'pixelScale'?"],
    ['{name: a, kind: rings, numRings: 3, projection: SIN}', 'projection'],
    ['{name: a, kind: discrete, raList: [1], decList: [3, 4], radiusList: [1]}', 'decList 2'],
    ['{name: a, kind: equat, patches: cells, cellInnerDimensions: [10, 20]}', 'cells are square'],
  ])('are refused: %s', (text, message) => {
    expect(() => parseSkyMapDefinition(parse(text), 'x.yaml')).toThrow(message);
  });
});
