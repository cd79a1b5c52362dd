import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfiguration, readCredentials } from './configuration.js';
import { parseConfiguration } from './configuration-file.js';

/** Typed, where the matcher itself is `any`. */
const containing = (text: string): unknown => expect.stringContaining(text);

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'butlerfs-configuration-'));
});
afterEach(async () => await rm(directory, { recursive: true }));

describe('parseConfiguration', () => {
  test('an empty file is an empty configuration', () => {
    expect(parseConfiguration('', 'f')).toEqual({ sources: {}, credentials: {}, defaults: {}, aliases: {} });
  });

  test.each([
    ["f:1: unknown key 'sorces'; did you mean 'sources'?", 'sorces: {}\n'],
    ["f:3: unknown key 'sources.hsc.repsitory'; did you mean 'repository'?", 'sources:\n  hsc:\n    repsitory: /a\n'],
    ["f:2: 'sources.hsc.repository' must be a string", 'sources:\n  hsc: {}\n'],
    ["f:3: 'sources.hsc.repository' must be a string", 'sources:\n  hsc:\n    repository: [a]\n'],
    ["f:4: unknown key 'defaults.cache-sise'; did you mean 'cache-size'?", '# comment\ndefaults:\n  verify: open\n  cache-sise: 1G\n'],
    ["f:2: 'defaults.verify' must be one of fetch, open", 'defaults:\n  verify: never\n'],
    ["f:2: 'defaults.cache' must be an absolute path", 'defaults:\n  cache: here\n'],
    ["f:2: 'credentials.host' must give username and password, or bearer, or bearer-file", 'credentials:\n  host: {username: me}\n'],
    ["f:1: 'sources' must be a mapping", 'sources: [a]\n'],
    ["f:2: 'aliases.ccd.instrment' is an unknown key; did you mean 'instrument'?", 'aliases:\n  ccd: {means: detector, instrment: HSC}\n'],
    ["f:2: 'aliases.ccd' must be a name, or what it means", 'aliases:\n  ccd: 3\n'],
    ["f:1: 'flavors' must be a mapping", 'flavors: deep\n'],
    ['f:2: ', 'sources:\n\t- x\n'],
  ])('says %s', (message, content) => {
    expect(() => parseConfiguration(content, 'f')).toThrow(
      expect.objectContaining({ code: 'configuration', message: containing(message) }),
    );
  });

  test('shows no secret in an error', () => {
    const content = 'credentials:\n  host: {username: me, password: [hunter2], bearr: hunter2}\n';
    expect(() => parseConfiguration(content, 'f')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') as unknown }),
    );
  });
});

describe('loadConfiguration', () => {
  test("puts the user's file over the system's", async () => {
    const [user, system] = [join(directory, 'user.yaml'), join(directory, 'system.yaml')];
    await writeFile(
      user,
      'sources: {a: {repository: /user}}\ndefaults: {cache-size: 1G}\naliases: {chip: detector}\nflavors: {coadd: {best: mine}}\n',
    );
    await writeFile(
      system,
      'sources: {a: {repository: /system}, b: {repository: /system}}\ndefaults: {cache-size: 2G, poll: 30}\naliases: {chip: visit}\nflavors: {coadd: {best: theirs, old: older}}\n',
    );
    expect(await loadConfiguration([user, system, join(directory, 'missing.yaml')])).toMatchObject({
      sources: { a: { repository: '/user' }, b: { repository: '/system' } },
      defaults: { 'cache-size': '1G', poll: '30' },
      aliases: { chip: 'detector' },
      flavors: { coadd: { best: 'mine', old: 'older' } },
    });
  });

  test('refuses a file with a password that everybody may read', async () => {
    const file = join(directory, 'config.yaml');
    await writeFile(file, 'credentials: {host: {username: me, password: secret}}\n');
    await chmod(file, 0o644);
    await expect(loadConfiguration([file])).rejects.toThrow(`chmod 600 ${file}`);
    await chmod(file, 0o600);
    expect((await loadConfiguration([file])).credentials).toHaveProperty('host');
  });
});

test('readCredentials reads tokens from their files', async () => {
  const file = join(directory, 'token');
  await writeFile(file, 'abc123\n');
  const { credentials } = parseConfiguration(
    `credentials: {a: {bearer-file: ${file}}, b: {username: u, password: p}, c: {bearer: t}}`,
    'f',
  );
  expect(await readCredentials(credentials)).toEqual({ a: { bearer: 'abc123' }, b: { username: 'u', password: 'p' }, c: { bearer: 't' } });
  await rm(file);
  await expect(readCredentials(credentials)).rejects.toMatchObject({ code: 'configuration' });
});
