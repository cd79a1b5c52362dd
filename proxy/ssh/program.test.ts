/** SFTP through ssh(1), with a real sshd: who is let in, and what it is told. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { interrupted } from '../../common/deadline.js';
import { Sshd } from '../../test/support/sshd.js';
import { removeDirectory, temporaryDirectory } from '../../test/support/temporary.js';
import { findSsh, openProgram, sshArguments } from './program.js';
import { SftpSession } from './sftp.js';

let place: string;
let sshd: Sshd;
beforeAll(async () => {
  place = temporaryDirectory('ssh program');
  sshd = await Sshd.start();
});
afterAll(async () => {
  await sshd.stop();
  removeDirectory(place);
});

function homeOf(name: string): string {
  const home = join(place, name);
  mkdirSync(home);
  return home;
}

const host = (): { readonly host: string; readonly port: number } => ({ host: '127.0.0.1', port: sshd.port });
const options = { what: 'a test' };

async function begin(home: string): Promise<SftpSession> {
  const channel = openProgram(findSsh()!, host(), { timeout: 10_000, home });
  return await SftpSession.start(channel, 10_000, { ...options, onEnd: () => channel.close() });
}

it('reads files with the key and the known hosts of a home, also one with a space in its name', async () => {
  const home = homeOf('a home 100%');
  sshd.welcome(home);
  const content = Buffer.alloc(300_000, 'right');
  writeFileSync(join(place, 'file'), content);
  const session = await begin(home);
  const handle = await session.open(join(place, 'file'), options);
  const parts: Buffer[] = [];
  for (let offset = 0; offset < content.length; offset += parts.at(-1)!.length)
    parts.push(await session.read(handle, offset, 100_000, options));
  expect(Buffer.concat(parts).equals(content)).toBe(true);
  const ended = session.stat('/', options);
  session.end(interrupted('a test'));
  await expect(ended).rejects.toThrow();
  expect(session.isOpen).toBe(false);
});

it('does not go to a host whose key it does not know, nor in without a key', async () => {
  const stranger = homeOf('stranger');
  await expect(begin(stranger)).rejects.toMatchObject({ code: 'remote-failed' });
  const known = homeOf('known');
  mkdirSync(join(known, '.ssh'), { mode: 0o700 });
  writeFileSync(join(known, '.ssh', 'known_hosts'), sshd.knownHostLine());
  await expect(begin(known)).rejects.toMatchObject({ code: 'remote-failed' });
});

it('follows the configuration of that home', async () => {
  const home = homeOf('configured');
  const directory = sshd.welcome(home);
  writeFileSync(
    join(directory, 'config'),
    `Host archive\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  HostKeyAlias [127.0.0.1]:${sshd.port}\n`,
  );
  const channel = openProgram(findSsh()!, { host: 'archive' }, { timeout: 10_000, home });
  const session = await SftpSession.start(channel, 10_000, { ...options, onEnd: () => channel.close() });
  expect((await session.realpath('/', options)).toString()).toBe('/');
  session.end(interrupted('a test'));
});

it('is told to ask nobody, and what follows `--` is never an option', () => {
  const told = sshArguments({ host: '-oProxyCommand=touch', user: 'me', port: 2222 }, { timeout: 1500, home: homeOf('empty') });
  expect(told.slice(-4)).toEqual(['-s', '--', '-oProxyCommand=touch', 'sftp']);
  expect(told.join(' ')).toContain('-l me -p 2222');
  expect(told).toEqual(expect.arrayContaining(['BatchMode=yes', 'StrictHostKeyChecking=yes', 'ConnectTimeout=2', '-F', 'none']));
});

it('is not found where it is not', () => {
  expect(findSsh('')).toBeUndefined();
  expect(findSsh(`relative:${place}`)).toBeUndefined();
  expect(findSsh(`${place}:/usr/bin:/bin`)).toMatch(/^\/(usr\/)?bin\/ssh$/);
});
