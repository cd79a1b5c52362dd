import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeDirectory, temporaryDirectory } from '../../test/support/temporary.js';
import { databaseUrl, isDatabaseUrl, parseDatabaseUrl } from './address.js';
import { databaseAccess } from './credentials.js';

let home: string;
let warnings: string[];
beforeEach(() => {
  home = temporaryDirectory('credentials');
  warnings = [];
});
afterEach(() => removeDirectory(home));

function file(name: string, text: string, mode = 0o600): void {
  writeFileSync(join(home, name), text);
  chmodSync(join(home, name), mode);
}

function access(url: string, environment: Record<string, string> = {}, configured?: { username: string; password: string }) {
  const { user, password } = databaseAccess(parseDatabaseUrl(url), { home, environment, configured, warn: (line) => warnings.push(line) });
  return [user, password];
}

describe('credentials of a database', () => {
  it('come from the configuration, the environment, and the files, in this order', () => {
    file('.pgpass', 'db.example.org:5432:butler:me:from-file\n');
    const url = 'postgresql://me@db.example.org/butler';
    expect(access(url)).toEqual(['me', 'from-file']);
    expect(access(url, { PGPASSWORD: 'from-environment' })).toEqual(['me', 'from-environment']);
    expect(access(url, { PGPASSWORD: 'from-environment' }, { username: 'me', password: 'configured' })).toEqual(['me', 'configured']);
    expect(access(url, {}, { username: 'other', password: 'configured' })).toEqual(['me', 'from-file']);
    expect(access('postgresql://db.example.org/butler', {}, { username: 'other', password: 'x' })).toEqual(['other', 'x']);
    expect(access('postgresql://db.example.org/butler', { PGUSER: 'me' })).toEqual(['me', 'from-file']);
  });

  it('are found in the password file with wildcards and escapes, the first that fits', () => {
    file(
      '.pgpass',
      [
        '# comment:*:*:*:no',
        'short:line',
        'h:5433:*:*:port',
        'h:*:a\\:b\\\\c:me:esc\\:aped\\\\:rest',
        '*:*:\\*:me:star',
        '*:*:*:me:any',
      ].join('\n'),
    );
    expect(access('postgresql://you@h:5433/x')).toEqual(['you', 'port']);
    expect(access('postgresql://me@h/a%3Ab%5Cc')).toEqual(['me', 'esc:aped\\:rest']);
    expect(access('postgresql://me@h/*')).toEqual(['me', 'star']);
    expect(access('postgresql://me@elsewhere/x')).toEqual(['me', 'any']);
    expect(access('postgresql://nobody@elsewhere/x')).toEqual(['nobody', undefined]);
  });

  it('are not taken from a file that others may read', () => {
    file('.pgpass', '*:*:*:*:secret', 0o640);
    expect(access('postgresql://me@h/x')).toEqual(['me', undefined]);
    expect(warnings).toEqual([expect.stringContaining('chmod 600')]);
    expect(warnings.join()).not.toContain('secret');
  });

  it('of MySQL come from its own variable and file', () => {
    file('.my.cnf', '[mysql]\npassword=wrong\n[client]\nuser = me\npassword="it\'s = this"\n');
    expect(access('mysql://h/x')).toEqual(['me', "it's = this"]);
    expect(access('mariadb://you@h/x', { MYSQL_PWD: 'pwd' })).toEqual(['you', 'pwd']);
  });
});

describe('URLs of databases', () => {
  it.each([
    ['postgres://me@h/db', 'postgresql://me@h/db'],
    ['postgresql://h:5432/db?schema=butlerfs&sslmode=require', 'postgresql://h/db'],
    ['postgresql://h:5433/d%20b?schema=other', 'postgresql://h:5433/d%20b?schema=other'],
    ['postgresql://u@localhost/db?host=/run/postgresql', 'postgresql://u@localhost/db?host=%2Frun%2Fpostgresql'],
    ['mariadb://m%40e@[::1]:3307/db', 'mysql://m%40e@[::1]:3307/db'],
    ['sqlite:///data/a%20b.sqlite3', 'sqlite:///data/a%20b.sqlite3'],
  ])('%s', (text, same) => {
    expect(isDatabaseUrl(text)).toBe(true);
    expect(databaseUrl(parseDatabaseUrl(text))).toBe(same);
    expect(databaseUrl(parseDatabaseUrl(same))).toBe(same);
  });

  it.each([
    ['postgresql://me:geheim@h/db', 'password'],
    ['postgresql://h', 'no database'],
    ['postgresql://h/db?sslmod=require', 'sslmode'],
    ['postgresql://h/db?sslmode=requir', 'require'],
    ['postgresql://h/db?schema=', 'schema'],
    ['postgresql://h/db?schema=pg_catalog', 'schema'],
    ['postgresql://h/d%00b', 'NUL'],
    ['postgresql://h/db%zz', 'percent'],
    ['postgresql://h/db?schema=a&schema=b', 'twice'],
    ['postgresql://h/db?sslrootcert=ca.pem', 'absolute'],
    ['sqlite://host/file', 'file'],
    ['sqlite:///file?mode=ro', 'mode'],
    ['mysql://h/db#x', '%23'],
  ])('%s is refused', (text, why) => {
    expect(() => parseDatabaseUrl(text)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(why) as string }) as Error,
    );
    expect(() => parseDatabaseUrl(text)).not.toThrow('geheim');
  });
});
