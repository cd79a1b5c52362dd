import { describe, expect, it } from 'vitest';
import { smallUniverse } from './testing/repositories.js';
import { parseUniverse } from './universe.js';

const shape = JSON.parse(smallUniverse) as { elements: Record<string, object> };
const changed = (change: object): string => JSON.stringify({ ...shape, ...change });

describe('the dimension universe', () => {
  const universe = parseUniverse(smallUniverse);

  it('orders dimensions by what they need, then by name', () => {
    expect(universe.names).toEqual(['band', 'instrument', 'skymap', 'day_obs', 'detector', 'physical_filter', 'tract', 'patch', 'visit']);
  });

  it('tells what a dimension requires and implies', () => {
    expect(universe.dimension('patch')).toMatchObject({
      type: 'int',
      required: ['skymap', 'tract', 'patch'],
      implied: [],
      isGovernor: false,
    });
    expect(universe.dimension('visit')).toMatchObject({ required: ['instrument', 'visit'], implied: ['day_obs', 'physical_filter'] });
    expect(universe.dimension('skymap')).toMatchObject({ type: 'string', isGovernor: true });
    expect(universe.dimension('visit_detector_region')).toBeUndefined();
    expect(universe.element('visit_detector_region')).toMatchObject({ required: ['instrument', 'detector', 'visit'], keyField: undefined });
    expect(universe.element('band')!.viewOf).toBe('physical_filter');
  });

  it('spans groups, in path order, one instance a set', () => {
    const group = universe.group(['detector', 'visit']);
    expect(group).toEqual({ required: ['instrument', 'visit', 'detector'], implied: ['day_obs', 'physical_filter', 'band'] });
    expect(universe.group(['visit', 'instrument', 'detector', 'band'])).toBe(group);
    expect(universe.group(['band', 'patch'])).toEqual({ required: ['skymap', 'tract', 'patch', 'band'], implied: [] });
    expect(universe.group([])).toEqual({ required: [], implied: [] });
  });

  it('knows sky pixelisations on demand', () => {
    expect(universe.dimension('htm7')).toMatchObject({ isSkypix: true, type: 'int', required: ['htm7'] });
    expect(universe.dimension('healpix17')).toBeDefined();
    expect(['htm25', 'htm07', 'htm', 'healpix18', 'xtm7'].map((name) => universe.dimension(name))).toEqual(Array(5).fill(undefined));
    expect(universe.pathOrder(['band', 'htm10', 'htm7', 'physical_filter', 'detector'])).toEqual([
      'detector',
      'htm7',
      'htm10',
      'physical_filter',
      'band',
    ]);
    expect(universe.names).not.toContain('htm7');
  });

  it('names the nearest for an unknown dimension', () => {
    expect(() => universe.group(['tracts'])).toThrow("did you mean 'tract'?");
  });

  it('takes a later version of the same shape, and unknown fields', () => {
    expect(parseUniverse(changed({ version: 11, novelty: { x: 1 } })).version).toBe(11);
  });

  it('takes an early version without namespace, governors or healpix', () => {
    const early = parseUniverse(
      JSON.stringify({
        version: 0,
        skypix: { common: 'htm7', htm: { class: 'x', max_level: 24 } },
        elements: {
          instrument: { keys: [{ name: 'name', type: 'string' }] },
          exposure: { keys: [{ name: 'id', type: 'int' }], requires: ['instrument'] },
        },
      }),
    );
    expect(early.namespace).toBe('daf_butler');
    expect(early.dimension('instrument')!.isGovernor).toBe(true);
    expect(early.dimension('healpix3')).toBeUndefined();
  });

  it.each([
    [changed({ version: 12, elements: [] }), 'version 12'],
    [changed({ version: '9.1' }), 'version 9.1'],
    [changed({ version: 9, elements: { a: { keys: [{ name: 'id', type: 'int' }], requires: ['b'] } } }), "'a' refers to 'b'"],
    [changed({ version: 9, elements: { a: { requires: ['b'] }, b: { requires: ['a'] } } }), 'in a circle'],
    [changed({ version: 9, elements: { 'a"; drop table dataset; --': {} } }), 'version 9'],
    ['{', 'not JSON'],
    ['null', 'of unknown version'],
  ])('refuses %s and says what it found', (json, message) => {
    const refused = expect.objectContaining({
      code: 'unsupported-repository',
      message: expect.stringContaining(message) as string,
    }) as Error;
    expect(() => parseUniverse(json)).toThrow(refused);
    expect(() => parseUniverse(json)).toThrow('0 to 8');
  });
});
