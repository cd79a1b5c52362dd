import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseConfiguration } from './configuration-file.js';
import { resolveMountOptions, splitOptions } from './options.js';
import { formatSize, parseDuration, parseSize } from './units.js';
import type { Configuration } from './configuration.js';
import type { Setting } from './options.js';

/** Typed, where the matcher itself is `any`. */
const containing = (text: string): unknown => expect.stringContaining(text);

const nothing: Configuration = { sources: {}, credentials: {}, defaults: {}, aliases: {} };

function resolve(settings: readonly Setting[], configuration = nothing, source = 'https://data.example.org/repo', fromMountHelper = false) {
  return resolveMountOptions(
    { source, mountPoint: 'mnt', settings, workingDirectory: '/home/me', fromMountHelper },
    configuration,
    '/cache',
  );
}

describe('splitOptions', () => {
  test('divides at commas, but for ones that are escaped or quoted', () => {
    expect(splitOptions('a,b=c,collections=x\\,y,default="k=1,2",b=d=e')).toEqual([
      { name: 'a', value: '' },
      { name: 'b', value: 'c' },
      { name: 'collections', value: 'x,y' },
      { name: 'default', value: 'k=1,2' },
      { name: 'b', value: 'd=e' },
    ]);
  });

  test('refuses an unclosed quote', () => {
    expect(() => splitOptions('a="b')).toThrow('not closed');
  });

  test('gives back whatever was escaped', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), (values) => {
        const text = values.map((value) => `k=${value.replace(/[\\,"]/g, '\\$&')}`).join(',');
        expect(splitOptions(text).map(({ value }) => value)).toEqual(values);
      }),
    );
  });
});

describe('resolveMountOptions', () => {
  test('completes a bare request', () => {
    expect(resolve([])).toEqual({
      source: 'https://data.example.org/repo',
      mountPoint: '/home/me/mnt',
      collections: [],
      defaults: {},
      aliases: {},
      cacheDirectory: '/cache',
      cacheLimit: 50 * 1024 ** 3,
      cacheFree: null,
      quota: null,
      scrub: 30 * 86_400_000,
      offline: false,
      verify: 'fetch',
      allowOther: false,
      deadline: 60_000,
      idleTimeout: 10_000,
      mirrors: [],
      rateLimit: null,
      caFile: null,
      wholeSize: 64 * 1024 ** 2,
      pollInterval: 10_000,
      transport: 'auto',
      logLevel: 'info',
    });
  });

  test('takes mirrors, a rate and a file of authorities; those of the source where none are given', () => {
    const settings = splitOptions(
      'mirror=https://b.example/repo/butler.yaml,mirror=copy,mirror=https://b.example/repo,rate-limit=10M,ca-file=ca.pem',
    );
    expect(resolve(settings)).toMatchObject({
      mirrors: ['https://b.example/repo', '/home/me/copy'],
      rateLimit: 10 * 1024 ** 2,
      caFile: '/home/me/ca.pem',
    });
    const configuration = parseConfiguration(
      'sources: {hsc: {repository: https://a.example/r, mirrors: https://b.example/r}}\ndefaults: {rate-limit: 1M, ca-file: /etc/ca.pem}',
      'file',
    );
    expect(resolve([], configuration, 'hsc')).toMatchObject({
      mirrors: ['https://b.example/r'],
      rateLimit: 1024 ** 2,
      caFile: '/etc/ca.pem',
    });
    const refused = expect(() => resolve(splitOptions('mirror=https://b.example/r'), nothing, '/repo'));
    refused.toThrow('a repository that is a directory of this host has none');
    expect(() => resolve(splitOptions('mirror=https://me:secret@b.example/r'))).toThrow(/a URL with a password/);
  });

  test('takes every option, the last of several, and adds lists up', () => {
    const settings = splitOptions(
      'collections=a\\,b,collections=c,"calibs=bias=A/b,flat=B",calibs=bias=C,default=instrument=HSC,default=skymap=rings,cache=c,cache-size=1G,cache-size=2G,cache-free=0,quota=3G,scrub=0,offline,verify=open,allow_other,ro,deadline=5,idle-timeout=500ms,poll=0,log-level=debug,transport=libfuse',
    );
    expect(resolve(settings)).toMatchObject({
      collections: ['a', 'b', 'c'],
      calibrations: { bias: ['A/b', 'C'], flat: ['B'] },
      defaults: { instrument: 'HSC', skymap: 'rings' },
      cacheDirectory: '/home/me/c',
      cacheLimit: 2 * 1024 ** 3,
      cacheFree: 0,
      quota: 3 * 1024 ** 3,
      scrub: 0,
      offline: true,
      verify: 'open',
      allowOther: true,
      deadline: 5_000,
      idleTimeout: 500,
      pollInterval: 0,
      logLevel: 'debug',
      transport: 'libfuse',
    });
  });

  test('prefers the request to the source, and the source to the defaults', () => {
    const configuration = parseConfiguration(
      `
sources: {hsc: {repository: /repo/butler.yaml, collections: [s], default: {instrument: S, skymap: S}, calibs: {bias: s, flat: [s, t]}}}
defaults: {collections: d, cache-size: 1G, default: {instrument: D, skymap: D, day_obs: 20150101}, calibs: {bias: d, dark: d}}
aliases: {chip: detector}
`,
      'file',
    );
    expect(resolve([{ name: 'default', value: 'skymap=R' }], configuration, 'hsc')).toMatchObject({
      source: 'hsc',
      collections: ['s'],
      calibrations: { bias: ['s'], flat: ['s', 't'], dark: ['d'] },
      defaults: { instrument: 'S', skymap: 'R', day_obs: '20150101' },
      cacheLimit: 1024 ** 3,
      aliases: { chip: 'detector' },
    });
    expect(resolve([], configuration, '/other')).toMatchObject({ source: '/other', collections: ['d'] });
  });

  test.each([
    ['usage', "unknown mount option 'colections'; did you mean 'collections'?", 'colections=a'],
    ['usage', "mount option 'ro': takes no value", 'ro=1'],
    ['usage', "mount option 'cache-size': needs a value", 'cache-size'],
    ['usage', "cache-size: '50 apples' is not a size", 'cache-size=50 apples'],
    ['usage', "deadline: '0' is not a duration", 'deadline=0'],
    ['usage', "transport: 'libfuze': no such choice; did you mean 'libfuse'?", 'transport=libfuze'],
    ['usage', "verify: 'fetsh': no such choice; did you mean 'fetch'?", 'verify=fetsh'],
    ['usage', "'instrument' is not KEY=VALUE", 'default=instrument'],
    ['usage', "calibs: 'bias' is not TYPE=COLLECTION", 'calibs=bias'],
    ['usage', "calibs: '=B' is not TYPE=COLLECTION", '"calibs=bias=A,=B"'],
    ['usage', 'a name between the commas is missing', 'collections=a\\,\\,b'],
    ['unsupported', 'writable mounts are not in this version', 'rw'],
    ['unsupported', "option 'rerun': writable mounts are not in this version", 'rerun=mine'],
  ])('refuses with %s: %s', (code, message, options) => {
    expect(() => resolve(splitOptions(options))).toThrow(expect.objectContaining({ code, message: containing(message) }));
  });

  test('leaves alone what fstab says to others, and the rw that mount(8) adds', () => {
    const settings = splitOptions(
      'rw,noauto,user,_netdev,nofail,nosuid,nodev,relatime,x-systemd.automount,x-systemd.idle-timeout=60,comment=z',
    );
    expect(resolve(settings, nothing, '/repo', true).source).toBe('/repo');
  });

  test.each([
    ['unsupported', 's3://bucket/repo'],
    ['usage', 'gopher://host/repo'],
    ['usage', 'https://me:secret@data.example.org/repo'],
    ['not-a-repository', 'hcs'],
  ])('refuses with %s the source %s', (code, source) => {
    const configuration = parseConfiguration('sources: {hsc: {repository: /repo}}', 'file');
    const fails = expect(() => resolve([], configuration, source));
    fails.toThrow(expect.objectContaining({ code }));
    fails.toThrow(expect.objectContaining({ message: expect.not.stringContaining('secret') as unknown }));
  });

  test('names the nearest configured source', () => {
    const configuration = parseConfiguration('sources: {hsc: {repository: /repo}}', 'file');
    expect(() => resolve([], configuration, 'hcs')).toThrow("did you mean 'hsc'?");
  });
});

describe('units', () => {
  test.each([
    ['1', 1],
    ['1k', 1024],
    ['50G', 50 * 1024 ** 3],
    ['1.5TiB', 1.5 * 1024 ** 4],
    ['7MB', 7 * 1024 ** 2],
  ])('size %s', (text, bytes) => expect(parseSize(text, 'x')).toBe(bytes));
  test.each(['', '0', '-1', 'G', '1X', '1e9', '99999P'])('no size: %j', (text) =>
    expect(() => parseSize(text, 'x')).toThrow('is not a size'),
  );
  test.each([
    ['1', 1_000],
    ['500ms', 500],
    ['2m', 120_000],
    ['1.5s', 1_500],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
  ])('duration %s', (text, milliseconds) => expect(parseDuration(text, 'x')).toBe(milliseconds));
  test.each(['', '0', '25d', '1w', '-1', '9999h'])('no duration: %j', (text) =>
    expect(() => parseDuration(text, 'x')).toThrow('is not a duration'),
  );
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [50 * 1024 ** 3, '50.0 GiB'],
    [200 * 1024 ** 2, '200 MiB'],
  ])('prints %i', (bytes, text) => expect(formatSize(bytes)).toBe(text));
});
