import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { authorizationOf, loadCredentials, takeUserinfo } from './credentials.js';
import { parseNetrc } from './netrc.js';

describe('netrc', () => {
  it('reads machines, default, comments, macros, quotes and one-line forms', () => {
    const { entries, problems } = parseNetrc(`
# machine commented login x password y
machine a.example login me password s#cret # the rest is a comment
machine b.example
  login "you and \\"me\\"" account x
  password "tab\\there"
macdef init
  machine not.really login no password no

machine c.example password only
default login anonymous password guest
`);
    expect(problems).toEqual([]);
    expect(entries).toEqual([
      { machine: 'a.example', login: 'me', password: 's#cret' },
      { machine: 'b.example', login: 'you and "me"', password: 'tab\there' },
      { machine: 'c.example', password: 'only' },
      { machine: null, login: 'anonymous', password: 'guest' },
    ]);
  });

  it('tells what it leaves out, by line, without showing it', () => {
    const { problems } = parseNetrc('login early\nmachine a\nhunter2\nlogin x password');
    expect(problems.map((problem) => problem.line)).toEqual([1, 3, 4]);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });

  it('never fails, whatever is in the file', () => {
    fc.assert(fc.property(fc.string(), (text) => parseNetrc(text).entries.length >= 0));
    const word = fc.constantFrom('machine', 'default', 'login', 'password', 'macdef', '#', '"', '\\', '\n', ' ', 'x');
    fc.assert(fc.property(fc.array(word), (words) => parseNetrc(words.join(' ')).entries.length >= 0));
  });

  it('gives back what was written', () => {
    const text = fc.stringMatching(/^[!$-[\]-~][!-[\]-~]{0,12}$/);
    fc.assert(
      fc.property(text, text, text, (machine, login, password) => {
        const { entries } = parseNetrc(`machine ${machine}\n\tlogin ${login} password ${password}\n`);
        expect(entries).toEqual([{ machine, login, password }]);
      }),
    );
  });
});

describe('credentials', () => {
  let directory: string;
  let netrcPath: string;
  let warnings: string[];
  const warn = (message: string): void => void warnings.push(message);

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'butlerfs-netrc-'));
    netrcPath = join(directory, 'netrc');
    writeFileSync(netrcPath, 'machine data.example login me password pw\n', { mode: 0o600 });
    warnings = [];
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('go to their host: configuration by port, then by host, then netrc', () => {
    const configured = { 'Data.Example:8443': { bearer: 'abc' }, 'tap.example': { username: 'u', password: 'p' } };
    const lookup = loadCredentials({ netrcPath, configured, warn });
    expect(lookup(new URL('https://data.example:8443/x'))).toEqual({ kind: 'bearer', token: 'abc', source: 'configuration' });
    expect(lookup(new URL('https://DATA.example/x'))).toEqual({ kind: 'basic', username: 'me', password: 'pw', source: 'netrc' });
    expect(lookup(new URL('http://tap.example:81/'))).toMatchObject({ username: 'u', source: 'configuration' });
    expect(lookup(new URL('https://evil-data.example/'))).toBeUndefined();
    expect(lookup(new URL('https://x.data.example/'))).toBeUndefined();
    expect(warnings).toEqual([]);
    expect(loadCredentials({ netrcPath: null })(new URL('https://data.example/'))).toBeUndefined();
  });

  it('a netrc that others can read is taken with a warning; one that cannot be read is left out', () => {
    chmodSync(netrcPath, 0o640);
    expect(loadCredentials({ netrcPath, warn })(new URL('https://data.example/'))).toBeDefined();
    expect(warnings).toEqual([`${netrcPath} holds passwords and others may read it; run: chmod 600 ${netrcPath}`]);
    expect(loadCredentials({ netrcPath: join(directory, 'none'), warn })(new URL('https://data.example/'))).toBeUndefined();
    expect(warnings).toHaveLength(1);
    mkdirSync(join(directory, 'folder'));
    expect(loadCredentials({ netrcPath: join(directory, 'folder'), warn })(new URL('https://data.example/'))).toBeUndefined();
    expect(warnings[1]).toMatch(/is left out: it cannot be read \(EISDIR\)/);
  });

  it('what no header can carry is refused without being shown', () => {
    for (const entry of [{ bearer: 'a\r\nX: y' }, { username: 'a:b', password: 'secret' }]) {
      expect(() => loadCredentials({ netrcPath: null, configured: { h: entry } })).toThrow(/credentials for host 'h': /);
    }
    expect(authorizationOf({ kind: 'basic', username: 'ü', password: 'ß:', source: 'URL' })).toBe('Basic w7w6w586');
  });

  it('are taken out of a URL', () => {
    const { url, credential } = takeUserinfo(new URL('https://a%40b:c%2Fd@host/p'));
    expect(url.href).toBe('https://host/p');
    expect(credential).toEqual({ kind: 'basic', username: 'a@b', password: 'c/d', source: 'URL' });
    expect(takeUserinfo(new URL('https://host/p')).credential).toBeUndefined();
  });
});
