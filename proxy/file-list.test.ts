import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeDirectory, temporaryDirectory } from '../test/support/temporary.js';
import { openRemote } from './assemble.js';
import type { Remote } from './contract.js';
import { parseRemotePath } from './paths.js';

let directory: string;
let remote: Remote;

beforeEach(() => {
  directory = temporaryDirectory('list');
  mkdirSync(join(directory, 'repository/below'), { recursive: true });
  remote = openRemote(join(directory, 'repository'));
});

afterEach(async () => {
  await remote.close();
  removeDirectory(directory);
});

test('a directory of this host is listed: files with size and time, directories, and links to what is below the root', async () => {
  const at = (name: string) => join(directory, 'repository', name);
  writeFileSync(at('b'), '12345');
  utimesSync(at('b'), 1_000_000_000, 1_000_000_000);
  writeFileSync(join(directory, 'outside'), 'secret');
  writeFileSync(Buffer.from(`${at('')}\xff`, 'latin1'), '');
  symlinkSync('b', at('link'));
  symlinkSync('below', at('way'));
  symlinkSync('../outside', at('out'));
  symlinkSync('nowhere', at('broken'));
  symlinkSync('circle', at('circle'));
  execFileSync('mkfifo', [at('pipe')]);
  const entries = await remote.list!('');
  expect(entries.map(({ name, kind, size }) => [name, kind, size])).toEqual([
    ['b', 'file', 5],
    ['below', 'directory', null],
    ['link', 'file', 5],
    ['way', 'directory', null],
  ]);
  expect(entries[0]!.modified).toBe(1_000_000_000_000);
  expect(await remote.list!(parseRemotePath('way'))).toEqual([]);
});

test('what is no directory, not there, or outside, is refused', async () => {
  writeFileSync(join(directory, 'repository/file'), '');
  symlinkSync('..', join(directory, 'repository/up'));
  await expect(remote.list!(parseRemotePath('gone'))).rejects.toMatchObject({ code: 'remote-not-found' });
  await expect(remote.list!(parseRemotePath('file'))).rejects.toMatchObject({ code: 'remote-not-found' });
  await expect(remote.list!(parseRemotePath('up'))).rejects.toMatchObject({ code: 'remote-forbidden' });
});

test('an aborted listing ends', async () => {
  await expect(remote.list!('', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'interrupted' });
});
