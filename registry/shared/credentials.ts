/**
 * Who to be at a database server. In this order: the configuration, the environment (`PGUSER`, `PGPASSWORD`; `MYSQL_PWD`), the user's files: `~/.pgpass`
 * (`$PGPASSFILE`; PostgreSQL documentation, "The Password File") and the section `[client]` of `~/.my.cnf`.
 */

import { readFileSync, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { DatabaseAccess, DatabaseAddress } from './contract.js';

export interface CredentialSources {
  /** From the configuration, for this host. */
  readonly configured?: { readonly username: string; readonly password: string } | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly home?: string;
  /** Hears of files that are left out, and why. */
  readonly warn?: ((line: string) => void) | undefined;
}

/** Reads no more than it must. Never fails: a server that asks for what is not known says so. */
export function databaseAccess(address: DatabaseAddress, sources: CredentialSources = {}): DatabaseAccess {
  const { configured, environment = process.env, home = homedir(), warn = () => undefined } = sources;
  const isPostgresql = address.engine === 'postgresql';
  const options = address.engine === 'mysql' ? readClientSection(join(home, '.my.cnf'), warn) : {};
  const own = (isPostgresql ? environment['PGUSER'] : options['user']) ?? userInfo().username;
  const user = address.user !== '' ? address.user : (configured?.username ?? own);
  if (configured?.username === user) return { address, user, password: configured.password };
  const [named, mysqlPassword] = [environment[isPostgresql ? 'PGPASSWORD' : 'MYSQL_PWD'], options['password']];
  if (named !== undefined) return { address, user, password: named };
  const file = environment['PGPASSFILE'] ?? join(home, '.pgpass');
  return { address, user, password: isPostgresql ? fromPasswordFile(file, address, user, warn) : mysqlPassword };
}

/** Lines of `host:port:database:user:password`; `*` stands for anything, a backslash takes the meaning off a colon or a backslash. The first that fits counts. */
export function findInPasswordFile(text: string, wanted: readonly string[]): string | undefined {
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#') || line === '') continue;
    const fields = splitFields(line);
    if (fields.length < 5) continue;
    const fits = wanted.every((value, index) => fields[index]!.raw === '*' || fields[index]!.text === value);
    if (fits) return fields[4]!.text;
  }
  return undefined;
}

function fromPasswordFile(file: string, address: DatabaseAddress, user: string, warn: (line: string) => void): string | undefined {
  const text = readPrivate(file, warn);
  if (text === undefined) return undefined;
  // A socket in the usual place goes by the name of localhost, one elsewhere by its directory.
  const hosts = address.host.startsWith('/') ? [address.host, 'localhost'] : [address.host];
  for (const host of hosts) {
    const found = findInPasswordFile(text, [host, String(address.port), address.database, user]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function splitFields(line: string): readonly { readonly raw: string; readonly text: string }[] {
  const fields: { raw: string; text: string }[] = [{ raw: '', text: '' }];
  for (let index = 0; index < line.length; index++) {
    const field = fields.at(-1)!;
    let character = line[index]!;
    if (character === ':' && fields.length < 5) {
      fields.push({ raw: '', text: '' });
      continue;
    }
    field.raw += character;
    if (character === '\\' && index + 1 < line.length) {
      character = line[++index]!;
      field.raw += character;
    }
    field.text += character;
  }
  return fields;
}

/** `name=value` lines of the section `[client]`; quotes around a value are taken off. Includes are not followed. */
function readClientSection(file: string, warn: (line: string) => void): Readonly<Record<string, string>> {
  const text = readPrivate(file, warn);
  const options: Record<string, string> = {};
  let section = '';
  for (const line of (text ?? '').split(/\r?\n/)) {
    const header = /^\s*\[(.*)\]\s*$/.exec(line);
    if (header !== null) section = header[1]!.trim();
    const [, name, value] = /^\s*([A-Za-z_-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (section !== 'client' || name === undefined || value === undefined) continue;
    options[name] = /^(["']).*\1$/.test(value) && value.length > 1 ? value.slice(1, -1) : value;
  }
  return options;
}

/** Undefined where it is not there, cannot be read, or others may read it. */
function readPrivate(file: string, warn: (line: string) => void): string | undefined {
  try {
    if ((statSync(file).mode & 0o077) !== 0) {
      warn(`${file} is left out: others may read it; run: chmod 600 ${file}`);
      return undefined;
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code !== 'ENOENT' && code !== 'ENOTDIR') warn(`${file} is left out: it cannot be read (${code})`);
    return undefined;
  }
}
