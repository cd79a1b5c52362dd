/** `butlerfs pack` and `butlerfs unpack`, run as a user runs them; files of numpy, also with numpy itself. */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { readNpy, readNpz, writeNpy, writeNpz, writeStructuredNpy } from './npy.js';
import { sharedData } from '../test/shared.js';
import { builtCommand, temporaryHome } from '../test/support/mounted.js';
import { numpy } from '../test/support/python.js';
import { run, runSuccessfully } from '../test/support/run.js';
import type { Home } from '../test/support/mounted.js';
import type { RunResult } from '../test/support/run.js';

const shared = sharedData();
const repository = join(shared ?? '/missing', 'gen3-hsc');
const interpreter = numpy();

let home: Home;
beforeAll(() => {
  home = temporaryHome();
});
afterAll(() => home.remove());

/** With `lines` on standard input. */
const piped = (lines: string, ...args: readonly string[]): Promise<RunResult> =>
  run('sh', ['-c', 'printf "%s" "$1" | { shift; "$@"; }', 'sh', lines, process.execPath, builtCommand(), ...args], { env: home.env });

describe('words', () => {
  it.each<[readonly string[], string]>([
    [['pack', '--packer', 'hsc_rings_v1', 'tract=9813', 'patch=40'], '794893\n'],
    [['pack', '--packer', 'hsc_rings_v1', 'tract=9813', 'patch=40', 'band=i', '--json'], '{"packed":6930805,"bits":26}\n'],
    [['unpack', '--packer', 'hsc_rings_v1', '--dimensions', 'tract,patch,band', '6930805'], 'tract=9813 patch=40 band=i\n'],
    [['unpack', '--packer', 'hsc', '--json', '180666816', '0'], '{"visit":903334,"detector":16}\n{"visit":0,"detector":0}\n'],
    [['pack', '--packer', 'skymap', '--tracts', '5', '--patch-columns', '3', '--patch-rows', '3', 'tract=2', 'patch=6'], '24\n'],
    [['pack', '--packer', 'gen2-hsc-merged-coadd', 'tract=9813', 'patch=4,5'], `${9813 * 1024 + 4 * 32 + 5}\n`],
    [['pack', '--packer', 'hsc', '--objects', 'old', 'visit=903334', 'detector=16', 'counter=5'], `${(180666816n << 31n) | 5n}\n`],
  ])('%j', async (args, stdout) => {
    expect(await home.cli(args)).toMatchObject({ status: 0, stdout, stderr: '' });
  });

  it.each<[readonly string[], 1 | 2, string]>([
    [['pack', '--packer', 'hcs', 'visit=1', 'detector=1'], 2, "unknown packer 'hcs'; did you mean 'hsc'?"],
    [['pack', '--packer', 'hsc', 'vist=1', 'detector=1'], 2, "key 'vist': packer hsc packs visit, detector; did you mean 'visit'?"],
    [['pack', '--packer', 'hsc', 'visit=1', 'detector=200'], 1, 'detector=200: it is not an integer from 0 to 199'],
    [['pack', '--packer', 'hsc', 'visit=1', 'counter=2'], 2, "key 'counter'"],
    [['pack', '--packer', 'observation', 'visit=1', 'detector=1'], 2, 'packer observation without --detectors'],
    [['pack', '--packer', 'skymap', '--tracts', '0', 'tract=1'], 2, "--tracts: '0' is not an integer from 1 on"],
    [['pack', '--packer', 'hsc', '--input', 'x.csv'], 2, 'neither .npy nor .npz'],
    [['pack', '--packer', 'hsc', '--input', '/missing.npy'], 2, '/missing.npy cannot be read'],
    [['pack'], 2, 'neither a source nor --packer is given'],
    [['unpack', '--packer', 'hsc', '4294960000'], 1, 'gives integers from 0 to 4294959999'],
    [['unpack', '--packer', 'hsc', '1e3'], 1, "'1e3' is no packed integer"],
  ])('%j is refused', async (args, status, message) => {
    const result = args.length === 1 ? await piped('tract=1 patch=1\n', ...args) : await home.cli(args);
    expect(result.status).toBe(status);
    expect(result.stderr).toMatch(/^butlerfs: [^\n]*\n$/);
    expect(result.stderr).toContain(message);
  });
});

test('lines come out in their order, and those before a wrong one too', async () => {
  const packed = await piped('tract=9813 patch=40\n\n  tract=1   patch=2\n', 'pack', '--packer', 'hsc_rings_v1');
  expect(packed).toMatchObject({ status: 0, stdout: '794893\n83\n', stderr: '' });
  expect(await piped(packed.stdout, 'unpack', '--packer', 'hsc_rings_v1')).toMatchObject({
    status: 0,
    stdout: 'tract=9813 patch=40\ntract=1 patch=2\n',
  });
  const wrong = await piped('tract=1 patch=2\ntract=1 patch=81\n', 'pack', '--packer', 'hsc_rings_v1');
  expect(wrong).toMatchObject({ status: 1, stdout: '83\n' });
  expect(wrong.stderr).toContain('line 2: patch=81: it is not an integer from 0 to 80');
});

describe.runIf(shared !== undefined)('a source says how large numbers are', () => {
  it('both ways, and which dimensions are meant', async () => {
    expect((await home.cli(['pack', repository, 'visit=1228', 'detector=49'])).stdout).toBe('245649\n');
    expect((await home.cli(['unpack', repository, '--dimensions', 'visit,detector', '245649'])).stdout).toBe('visit=1228 detector=49\n');
    const { stdout } = await home.cli(['pack', repository, '--objects', 'new', 'tract=9813', 'patch=40', 'counter=17']);
    expect(stdout).toBe(`${(794893n << 36n) | 17n}\n`);
    expect((await home.cli(['unpack', repository, '245649'])).stderr).toContain('nothing says which dimensions are packed');
    expect((await home.cli(['pack', repository, 'instrument=HSX', 'visit=1', 'detector=1'])).stderr).toContain("did you mean 'HSC'?");
    expect((await home.cli(['pack', repository, 'tract=9813', 'patch=81'])).stderr).toContain('from 0 to 80');
  });
});

describe('files of numpy', () => {
  const columns = {
    tract: Uint32Array.of(1, 2, 4294967295),
    id: BigUint64Array.of(0n, 2n ** 63n, 2n ** 64n - 1n),
    band: { codes: Uint8Array.of(1, 0, 1), labels: ['N921', 'i'] },
  };

  it('read as they were written', async () => {
    expect(readNpy(writeStructuredNpy(columns), 'x')).toMatchObject({
      tract: columns.tract,
      id: columns.id,
      band: { codes: Uint8Array.of(0, 1, 0), labels: ['i', 'N921'] },
    });
    expect(await readNpz(writeNpz(columns), 'x')).toMatchObject({ tract: columns.tract, id: columns.id });
    expect(readNpy(writeNpy(new Uint32Array(0)), 'x')['']).toEqual(new Uint32Array(0));
  });

  it.each<[string, (bytes: Buffer) => Buffer, string]>([
    ['nothing', () => Buffer.alloc(0), 'no .npy file'],
    ['a cut body', (bytes) => bytes.subarray(0, -1), 'cut off'],
    ['a cut header', (bytes) => bytes.subarray(0, 20), 'cut off'],
    ['floats', (bytes) => Buffer.from(bytes.toString('latin1').replace('<u8', '<f8'), 'latin1'), "type '<f8'"],
    ['the other byte order', (bytes) => Buffer.from(bytes.toString('latin1').replace('<u8', '>u8'), 'latin1'), "type '>u8'"],
    ['negative numbers', (bytes) => Buffer.from(bytes.toString('latin1').replace('<u8', '<i8'), 'latin1'), 'row 1 is negative'],
    ['two dimensions', (bytes) => Buffer.from(bytes.toString('latin1').replace('(3,)', '(3,1)'), 'latin1'), 'not one dimension'],
  ])('with %s are refused', (_, spoil, message) => {
    expect(() => readNpy(spoil(writeNpy(columns.id)), 'file.npy')).toThrow(message);
  });

  it('that are no zip files are refused', async () => {
    await expect(readNpz(Buffer.from('PK'), 'file.npz')).rejects.toMatchObject({ code: 'invalid-value' });
  });

  it('go through the command', async () => {
    const [ids, packed, back] = ['ids.npz', 'packed.npy', 'back.npy'].map((name) => join(home.directory, name)) as [string, string, string];
    const bands = { codes: Uint8Array.of(0, 1, 0), labels: ['i', 'N921'] };
    await writeFile(ids, writeNpz({ tract: Uint32Array.of(9813, 0, 18937), patch: Uint32Array.of(40, 0, 80), band: bands }));
    expect(await home.cli(['pack', '--packer', 'hsc_rings_v1', '--input', ids, '--output', packed])).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect(Array.from(readNpy(await readFile(packed), 'packed')[''] as BigUint64Array)[0]).toBe(6930805n);
    const dimensions = ['--dimensions', 'tract,patch,band'];
    expect((await home.cli(['unpack', '--packer', 'hsc_rings_v1', ...dimensions, '--input', packed])).stdout).toBe(
      'tract=9813 patch=40 band=i\ntract=0 patch=0 band=N921\ntract=18937 patch=80 band=i\n',
    );
    await home.cli(['unpack', '--packer', 'hsc_rings_v1', ...dimensions, '--input', packed, '--output', back]);
    expect(await home.cli(['pack', '--packer', 'hsc_rings_v1', '--input', back])).toMatchObject({ status: 0, stderr: '' });
    expect((await home.cli(['pack', '--packer', 'hsc', '--input', back])).stderr).toContain("key 'tract'");
  });

  it.runIf(interpreter !== undefined)('are those of numpy', async () => {
    const [made, kept, packed] = ['made.npy', 'kept.npz', 'out.npy'].map((name) => join(home.directory, name)) as [string, string, string];
    const make = `
import sys, numpy as np
rows = np.zeros(3, dtype=[('tract', '<i8'), ('patch', '<i2'), ('band', '<U4')])
rows['tract'], rows['patch'], rows['band'] = [9813, 1, 2], [40, 0, 80], ['i', 'N921', 'g']
np.save(sys.argv[1], rows)`;
    await runSuccessfully(interpreter!, ['-c', make, made]);
    await runSuccessfully(process.execPath, [builtCommand(), 'pack', '--packer', 'hsc_rings_v1', '--input', made, '--output', packed], {
      env: home.env,
    });
    const unpack = ['unpack', '--packer', 'hsc_rings_v1', '--dimensions', 'tract,patch,band', '--input', packed, '--output'];
    for (const file of [kept, made]) await runSuccessfully(process.execPath, [builtCommand(), ...unpack, file], { env: home.env });
    const show = `
import sys, numpy as np
kept, made = np.load(sys.argv[1]), np.load(sys.argv[2])
for key in ('tract', 'patch', 'band'):
    assert (kept[key] == made[key]).all()
    print(key, kept[key].tolist())
print(np.load(sys.argv[3]).tolist()[0])`;
    expect(await runSuccessfully(interpreter!, ['-c', show, kept, made, packed])).toBe(
      "tract [9813, 1, 2]\npatch [40, 0, 80]\nband ['i', 'N921', 'g']\n6930805\n",
    );
  });
});
