import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeSmallRepository } from '../scripts/repository/repository.js';
import { hscMapper, writeFiles } from '../test/support/gen2.js';
import { removeDirectory, temporaryDirectory } from '../test/support/temporary.js';
import { openCatalogue } from '../registry/open.js';
import type { Catalogue } from '../registry/contract.js';
import { loadConfiguration } from './configuration.js';
import { defineType, listDefinitions } from './define.js';
import type { DefiningSettings, DefinitionRequest } from './define.js';
import { withDefinition } from './definition-writer.js';
import { createCatalogueAt, importSource } from './shared-writing.js';
import { openSource } from './source.js';

const timeout = 60_000;
const signal = new AbortController().signal;

let place: string;
let repository: string;
let settings: DefiningSettings;

beforeEach(() => {
  place = temporaryDirectory('define');
  repository = join(place, 'repository');
  settings = {
    configurationFiles: [join(place, 'config/config.yaml'), join(place, 'system.yaml')],
    cacheDirectory: join(place, 'cache'),
    lockDirectory: join(place, 'locks'),
    signal,
  };
});

afterEach(() => removeDirectory(place));

function writeGen3(): void {
  writeSmallRepository(repository, { tracts: [8766], patches: 1, bands: ['i'], visits: 1, detectors: 1, pixels: 8 });
}

function define(type: string, definition: DefinitionRequest['definition'], others: Partial<DefinitionRequest> = {}) {
  return defineType({ source: repository, type, definition, ...others }, settings);
}

/** What a mount would show of a repository. The caller closes it. */
async function index(source = repository): Promise<Catalogue> {
  const { cacheDirectory } = settings;
  const opened = await openSource(
    source,
    { configuration: await loadConfiguration(settings.configurationFiles), cacheDirectory },
    { signal },
  );
  await opened.close();
  return openCatalogue(opened.catalogueFile)!;
}

/** `run location` of the datasets of a type. */
function contents(catalogue: Catalogue, name: string): string[] {
  const type = catalogue.datasetType(name)!;
  const found = [...catalogue.query({ type, searchPath: catalogue.searchPath(), constraint: new Map() })];
  catalogue.close();
  return found.map(({ run, files }) => `${run} ${files[0]!.location}`).sort();
}

describe('definitions for a Gen3 repository', () => {
  beforeEach(writeGen3);

  test(
    'find files below it, below a directory of this host, and in the runs that their paths name',
    async () => {
      const outside = join(place, 'out side');
      writeFiles(repository, { 'a/8766.txt': '', 'rerun/x/8766.log': '', 'demo/runs/w_01/t8766.py': '', 'sub/b/8766.json': '' });
      writeFiles(outside, { 'tract 8766.fits': 'far' });
      await define('one', { dimensions: ['tract'], template: 'a/{tract}.txt', collection: 'mine' });
      await define('two', { dimensions: ['tract'], location: 'rerun', name: '{tract}.log' });
      await define('three', { dimensions: ['tract'], template: '{run}/t{tract}.py' });
      await define('four', { dimensions: ['tract'], template: 'b/{tract}', format: 'json', directory: 'sub' });
      await define('five', { dimensions: ['tract'], template: 'tract {tract}.fits', directory: outside });
      expect(contents(await index(), 'one')).toEqual(['mine a/8766.txt']);
      expect(contents(await index(), 'two')).toEqual(['rerun/x rerun/x/8766.log']);
      expect(contents(await index(), 'three')).toEqual(['demo/runs/w_01 demo/runs/w_01/t8766.py']);
      expect(contents(await index(), 'four')).toEqual(['defined sub/b/8766.json']);
      expect(contents(await index(), 'five')).toEqual([`defined file://${outside.replace(' ', '%20')}/tract%208766.fits`]);
      const { types } = await listDefinitions(repository, settings);
      expect(types.find(({ name }) => name === 'two')).toMatchObject({
        path: 'rerun/{rerun}/{tract}.log',
        where: `${repository}/butlerfs.yaml:6`,
      });
      expect(types.find(({ name }) => name === 'calexp')?.where).toBe(`the registry of ${repository}`);
    },
    timeout,
  );

  test(
    'that do not fit are refused, and nothing is written',
    async () => {
      const cases: readonly (readonly [string, DefinitionRequest['definition'], RegExp])[] = [
        ['t', { dimensions: ['trakt'], template: 'a/{tract}' }, /unknown dimension 'trakt'; did you mean 'tract'/],
        ['t', { dimensions: ['tract'], template: 'a/{tact}' }, /unknown field 'tact'; did you mean 'tract'/],
        ['t', { dimensions: ['tract', 'patch'], template: 'a/{tract}' }, /no field \{patch\}/],
        ['t', { dimensions: ['tract'], template: 'a/{tract}-{visit}' }, /one data ID/],
        ['t', { dimensions: ['tract'], template: 'a/{tract:s}' }, /tract is written as \{tract\}/],
        ['t', { dimensions: ['band', 'tract'], template: 'a/{tract}-{band:03d}' }, /band is written as \{band\}/],
        ['t', { dimensions: ['tract'], template: '/a/{tract}' }, /is absolute/],
        ['t', { dimensions: ['tract'], template: 'a/../{tract}' }, /'\.\.'/],
        ['t', { dimensions: ['tract'], template: '{run}/{tract}', collection: 'x' }, /leave 'collection' out/],
        ['t', { dimensions: ['tract'], template: 'a/{tract}', default: { visit: 1 } }, /'default' gives 'visit'/],
        ['t', { dimensions: ['tract'], template: 'a/{tract}', directory: 'ftp://x' }, /directory 'ftp:\/\/x' cannot be read/],
        ['t', { dimensions: ['tract'], template: 'a/{tract}', directory: '../x' }, /'\.\.'/],
        ['t.x', { dimensions: ['tract'], template: 'a/{tract}' }, /letters, digits/],
        [
          'calexp',
          { dimensions: ['tract'], template: 'a/{tract}' },
          /'calexp' is defined twice: calexp .*the registry of .*the new definition/,
        ],
        ['t', { dimensions: ['tract', 'patch', 'band'], template: 'demo/{a}/deepCoadd_calexp/{b}' }, /unknown field 'a'/],
      ];
      for (const [type, definition, message] of cases)
        await expect(define(type, definition), JSON.stringify(definition)).rejects.toThrow(message);
      expect(() => statSync(join(repository, 'butlerfs.yaml'))).toThrow();
    },
    timeout,
  );

  test(
    'that would find files of a registered type are refused, and a file of the registry stays what it is',
    async () => {
      const [calexp] = contents(await index(), 'calexp').map((text) => text.split(' ')[1]!);
      const [file, visit] = calexp!.split('/').reverse() as [string, string];
      const template = `{run}/calexp/{day_obs}/{band}/{filter}/{visit}/${file.replace(visit, '{visit}')}`;
      await expect(define('other', { dimensions: ['visit'], template })).rejects.toThrow(
        /'calexp' and 'other' have paths in common: .*calexp \(.*registry.*other \(.*the new definition/,
      );
      writeFiles(repository, {
        'butlerfs.yaml': `datasetTypes: {other: {dimensions: [visit], template: '${template}'}}`,
      });
      expect(contents(await index(), 'other')).toEqual([]);
      expect(contents(await index(), 'calexp')).toContain(`demo/runs/w_01 ${calexp!}`);
    },
    timeout,
  );

  test(
    'of two files are compared; those for whatever they fit are passed over where they do not fit',
    async () => {
      await define('general', { dimensions: ['ccdtemp'], template: 'x/{ccdtemp}' }, { source: undefined, isUser: true });
      await define('mine', { dimensions: ['tract'], template: 'a/{tract}.txt' }, { isUser: true });
      writeFiles(repository, { 'a/8766.txt': '' });
      expect(contents(await index(), 'mine')).toEqual(['defined a/8766.txt']);
      expect((await index()).datasetType('general')).toBeUndefined();
      await expect(define('mine', { dimensions: ['tract'], template: 'b/{tract}.txt' })).rejects.toThrow(
        /'mine' is defined twice: .*config\.yaml:5\] and .*\[the new definition\]/,
      );
      await expect(define('yours', { dimensions: ['tract'], template: 'a/{tract}.txt' })).rejects.toThrow(/'a\/0\.txt' can be of/);
      expect(await define('mine', { dimensions: ['tract'], template: 'a/{tract}.txt' })).toMatchObject({ isNew: false });
      // Written by hand, the clash is found when the repository is read.
      writeFiles(repository, { 'butlerfs.yaml': `datasetTypes: {mine: {dimensions: [tract], template: 'b/{tract}.txt'}}` });
      await expect(index()).rejects.toThrow(/'mine' is defined twice: .*butlerfs\.yaml:1\] and .*config\.yaml:5\]/);
    },
    timeout,
  );
});

describe('definitions in a shared catalogue', () => {
  test(
    'are types for its writers, once, and clash with both shown',
    async () => {
      writeGen3();
      const url = `sqlite://${join(place, 'catalogue.sqlite3')}`;
      const common = { configuration: await loadConfiguration([]), prune: false, signal, onProgress: () => {}, onWarning: () => {} };
      const catalogue = await createCatalogueAt(url, { root: repository }, common);
      const inCatalogue = (type: string, definition: DefinitionRequest['definition']) => define(type, definition, { source: url });
      try {
        const notes = { dimensions: ['visit'], template: '{run}/{visit:05d}.txt', storageClass: 'Text' };
        await expect(inCatalogue('notes', notes)).rejects.toMatchObject({ code: 'not-a-repository' });
        await importSource(catalogue, repository, common);
        expect(await inCatalogue('notes', notes)).toEqual({ isNew: true, place: url });
        const { sequence } = await catalogue.facts();
        expect(await inCatalogue('notes', notes)).toEqual({ isNew: false, place: url });
        await expect(inCatalogue('notes', { ...notes, template: '{run}/{visit}.txt' })).rejects.toThrow(
          /\{visit:05d\}.*\{run\}\/\{visit\}\.txt/,
        );
        await expect(inCatalogue('notes', { ...notes, dimensions: ['tract'], template: '{tract}' })).rejects.toThrow(/defined twice/);
        await expect(inCatalogue('notes', { ...notes, storageClass: 'Other' })).rejects.toThrow(/Text.*sqlite:.*Other.*the new definition/);
        await expect(inCatalogue('x', { dimensions: ['visit'], template: 'b/{visit}.txt' })).rejects.toThrow(/paths in common/);
        await expect(inCatalogue('x', { ...notes, template: 'x/{visit}', collection: 'u' })).rejects.toThrow(
          /'collection', which a catalogue/,
        );
        await expect(define('x', notes, { source: url, isUser: true })).rejects.toMatchObject({ code: 'usage' });
        expect((await catalogue.facts()).sequence).toBe(sequence);
        const { types } = await listDefinitions(url, settings);
        expect(types).toContainEqual({
          name: 'notes',
          dimensions: ['instrument', 'visit'],
          storageClass: 'Text',
          path: notes.template,
          where: url,
        });
      } finally {
        await catalogue.close();
      }
    },
    timeout,
  );
});

describe('the file', () => {
  const definition = { dimensions: ['visit'], template: 'a/{visit}.fits' };

  beforeEach(() => writeFiles(repository, { _mapper: hscMapper }));

  test('keeps its mode, and is written where a link to it leads; definitions at the same time all arrive', async () => {
    writeFileSync(join(place, 'ours.yaml'), '# ours\n', { mode: 0o640 });
    symlinkSync('../ours.yaml', join(repository, 'butlerfs.yaml'));
    const names = ['a', 'b', 'c', 'd'];
    await Promise.all(names.map((name) => define(name, { ...definition, template: `${name}/{visit}.fits` })));
    const text = readFileSync(join(place, 'ours.yaml'), 'utf8');
    for (const name of names) expect(text).toContain(`template: ${name}/{visit}.fits`);
    expect(text).toMatch(/^# ours\n/);
    expect(statSync(join(place, 'ours.yaml')).mode & 0o777).toBe(0o640);
  });

  test.each([
    ['a: [', /no YAML/],
    ['[a]', /no mapping/],
    ['datasetTypes: [a]', /'datasetTypes' in it is no mapping/],
  ])('%j is refused as it is', (text, message) => {
    const at = { file: 'f', keys: ['datasetTypes'], mode: 0o644 };
    expect(() => withDefinition(text, at, 't', definition)).toThrow(message);
  });

  test('that cannot be written is named, with what to do', async () => {
    mkdirSync(join(repository, 'butlerfs.yaml'));
    await expect(define('t', definition)).rejects.toThrow(/butlerfs\.yaml/);
    rmSync(join(repository, 'butlerfs.yaml'), { recursive: true });
    const missing = define('t', definition, { source: join(place, 'nowhere') });
    await expect(missing).rejects.toMatchObject({ code: 'not-a-repository' });
  });

  test('of the user names the source that is meant', async () => {
    mkdirSync(join(place, 'config'));
    const file = settings.configurationFiles[0]!;
    writeFileSync(file, `sources:\n  hsc: # ours\n    repository: ${repository}\n`);
    expect(await define('t', definition, { source: 'hsc', isUser: true })).toEqual({ isNew: true, place: file });
    expect(readFileSync(file, 'utf8')).toContain('# ours');
    const { sources, definitions } = await loadConfiguration([file]);
    expect(sources['hsc']).toMatchObject({ datasetTypes: { t: definition } });
    expect(definitions).toMatchObject([{ name: 't', repository: 'hsc', where: `${file}:6` }]);
    expect((await listDefinitions('hsc', settings)).types.map(({ name }) => name)).toContain('t');
    expect((await listDefinitions(repository, settings)).types.map(({ name }) => name)).not.toContain('t');
  });
});
