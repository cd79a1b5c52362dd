import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeDirectory, temporaryDirectory } from '../../test/support/temporary.js';
import { parseConfigText } from './config-file.js';
import { hostSettings, type HostName, type HostSettings } from './config.js';
import { matchesPattern, matchesPatterns } from './patterns.js';

let home: string;
beforeEach(() => {
  home = temporaryDirectory('ssh-config');
  mkdirSync(join(home, '.ssh'));
  mkdirSync(join(home, 'etc'));
});
afterEach(() => removeDirectory(home));

function settings(text: string, name: HostName | string, { system = '', environment = {} } = {}): Promise<HostSettings> {
  writeFileSync(join(home, '.ssh/config'), text, { mode: 0o600 });
  writeFileSync(join(home, 'etc/ssh_config'), system);
  const files = { home, systemDirectory: join(home, 'etc'), environment };
  return hostSettings(typeof name === 'string' ? { host: name } : name, files);
}

describe('patterns', () => {
  it.each([
    ['', '', true],
    ['*', '', true],
    ['*.example.org', 'data.example.org', true],
    ['*.example.org', 'example.org', false],
    ['192.168.?.1', '192.168.7.1', true],
    ['192.168.?.1', '192.168.77.1', false],
    ['a*b*c', 'aXbXbXc', true],
    ['a*b*c', 'aXbXbX', false],
    ['?', '', false],
    ['.', 'x', false],
    ['[ab]', 'a', false],
    ['[127.0.0.1]:22*', '[127.0.0.1]:2222', true],
  ])('%s and %s', (pattern, text, expected) => expect(matchesPattern(pattern, text)).toBe(expected));

  it('a pattern with many stars does not take long', () => {
    const began = performance.now();
    expect(matchesPattern(`${'a*'.repeat(100)}b`, 'a'.repeat(5_000))).toBe(false);
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('a negated one excludes whatever the others say, in any order and case', () => {
    expect(matchesPatterns(['*.example', '!X.example'], 'x.EXAMPLE')).toBe(false);
    expect(matchesPatterns(['!x.example', '*.example'], 'x.example')).toBe(false);
    expect(matchesPatterns(['!x.example', '*.example'], 'y.example')).toBe(true);
    expect(matchesPatterns(['!x.example'], 'y.example')).toBe(false);
  });
});

describe('lines', () => {
  it.each([
    ['Host a b', 'host', ['a', 'b']],
    ['  port=22  ', 'port', ['22']],
    ['Port = 22 # why', 'port', ['22']],
    ['IdentityFile "a b" \'c d\'', 'identityfile', ['a b', 'c d']],
    ['IdentityFile a\\ b\\"c "\\""', 'identityfile', ['a b"c', '"']],
    ['User a#b', 'user', ['a#b']],
    ['User ""', 'user', ['']],
    ['Compression\r', 'compression', []],
  ])('%s', (line, keyword, words) => expect(parseConfigText(line, 'f')).toMatchObject([{ keyword, words, line: 1 }]));

  it('comments and empty lines are none; an open quote says where', () => {
    expect(parseConfigText('\n# Host a\n   \n', 'f')).toEqual([]);
    expect(() => parseConfigText('\nHost "a', 'the/file')).toThrow(
      expect.objectContaining({ code: 'configuration', message: expect.stringContaining('the/file:2') as string }),
    );
  });
});

describe('settings', () => {
  it('without files: this user, port 22, the usual keys and files, the agent of the environment', async () => {
    const found = await settings('', 'Data.Example.org', { environment: { SSH_AUTH_SOCK: '/agent' } });
    expect(found).toEqual({
      alias: 'Data.Example.org',
      hostName: 'Data.Example.org',
      port: 22,
      user: userInfo().username,
      identityFiles: ['id_rsa', 'id_ecdsa', 'id_ed25519'].map((name) => ({ path: join(home, '.ssh', name), explicit: false })),
      identitiesOnly: false,
      agent: '/agent',
      jumps: [],
      hostKeyAlias: undefined,
      knownHosts: ['.ssh/known_hosts', '.ssh/known_hosts2', 'etc/ssh_known_hosts', 'etc/ssh_known_hosts2'].map((name) => join(home, name)),
      connectTimeout: undefined,
    });
  });

  it('the first value counts: of the URL, the user, the system; identity files add up', async () => {
    const text = 'Host a\n  Port 1\n  IdentityFile one\nHost *\n  Port 2\n  User me\n  IdentityFile ~/two\n  IdentityFile none\n';
    const system = 'Port 3\nUser you\nConnectTimeout 1m30\nIdentityFile /three\n';
    const found = await settings(text, 'a', { system });
    expect(found).toMatchObject({ port: 1, user: 'me', connectTimeout: 90_000 });
    expect(found.identityFiles.map(({ path }) => path)).toEqual([join(home, 'one'), join(home, 'two'), '/three']);
    expect(await settings(text, { host: 'b', port: 9, user: 'x' }, { system })).toMatchObject({ port: 9, user: 'x' });
    expect(await settings('', 'b', { system })).toMatchObject({ port: 3, user: 'you' });
  });

  it('tokens, variables and the home directory in values', async () => {
    const text = 'HostName %h.example.org\nPort 7\nUser me\nIdentityFile %d/%n-%h-%p-%r-%u-%%\nUserKnownHostsFile ${PLACE}/k "~/a b"\n';
    const found = await settings(text, 'x', { environment: { PLACE: '/place' } });
    expect(found.hostName).toBe('x.example.org');
    expect(found.identityFiles[0]!.path).toBe(`${home}/x-x.example.org-7-me-${userInfo().username}-%`);
    expect(found.knownHosts.slice(0, 2)).toEqual(['/place/k', join(home, 'a b')]);
    await expect(settings('IdentityFile %Q\n', 'x')).rejects.toMatchObject({ code: 'configuration' });
  });

  it.each([
    ['Match all', true],
    ['Match !all', false],
    ['Match host real.example', true],
    ['Match host x', false],
    ['Match originalhost x', true],
    ['Match originalhost y,x', true],
    ['Match originalhost *,!x', false],
    ['Match !originalhost y', true],
    ['Match user me', true],
    ['Match user me host *.example', true],
    ['Match user you host *.example', false],
    ['Match exec true', false],
    ['Match !exec true', false],
    ['Match canonical', false],
    ['Match final all', false],
    ['Match tagged x originalhost x', false],
  ])('%s', async (line, matches) => {
    const found = await settings(`HostName real.example\nUser me\n${line}\n  Port 7\n`, 'x');
    expect(found.port).toBe(matches ? 7 : 22);
  });

  it('what is included holds where it stands, and its blocks end with it', async () => {
    mkdirSync(join(home, '.ssh/d'));
    writeFileSync(join(home, '.ssh/d/1'), 'Host b\n  Port 1\n');
    writeFileSync(join(home, '.ssh/d/2'), 'User two\nInclude ~/more*\n');
    writeFileSync(join(home, '.ssh/d/.hidden'), 'User hidden\n');
    writeFileSync(join(home, 'more.conf'), 'ConnectTimeout 5\n');
    const text = 'Host a\n  Include d/* nowhere\n  HostKeyAlias K\n';
    expect(await settings(text, 'a')).toMatchObject({ port: 22, user: 'two', hostKeyAlias: 'k', connectTimeout: 5_000 });
    expect(await settings(text, 'b')).toMatchObject({ port: 22, user: userInfo().username, hostKeyAlias: undefined });
    await expect(settings('Include config\n', 'a')).rejects.toMatchObject({ code: 'configuration' });
  });

  it('ways through other hosts', async () => {
    const jumps = async (text: string, host = 'x'): Promise<unknown> => (await settings(text, host)).jumps;
    expect(await jumps('ProxyJump a,me@b:7,ssh://[::1]:8\n')).toEqual([
      { host: 'a', user: undefined, port: undefined },
      { host: 'b', user: 'me', port: 7 },
      { host: '::1', user: undefined, port: 8 },
    ]);
    expect(await jumps('ProxyJump none\nProxyCommand nc\n')).toEqual([]);
    expect(await jumps('ProxyCommand none\n')).toEqual([]);
    // Not through itself.
    expect(await jumps('ProxyJump x\n')).toEqual([]);
    await expect(jumps('ProxyCommand nc %h\nProxyJump a\n')).rejects.toMatchObject({ code: 'unsupported' });
    for (const wrong of ['ProxyJump a:b', 'ProxyJump a,,b', 'Port 0', 'Port x', 'ConnectTimeout soon', 'User', 'Match host', 'Match'])
      await expect(settings(`\n${wrong}\n`, 'x')).rejects.toMatchObject({
        code: 'configuration',
        message: expect.stringContaining('config:2') as string,
      });
  });

  it('a file that others may write to is refused', async () => {
    writeFileSync(join(home, '.ssh/config'), '', { mode: 0o600 });
    chmodSync(join(home, '.ssh/config'), 0o666);
    await expect(hostSettings({ host: 'x' }, { home, systemDirectory: home })).rejects.toMatchObject({ code: 'configuration' });
  });
});
