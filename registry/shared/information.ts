/** What a catalogue says of itself: rows of the table `information`, and the head. */

import { z } from 'zod';
import { ButlerfsError } from '../../common/errors.js';
import { readFieldNames } from './form.js';
import { sharedSchemaVersion } from './schema.js';
import type { SharedDatabase } from './schema.js';

export interface Head {
  readonly identity: string;
  readonly root: string;
  readonly universe: string | null;
  /** Number of the last transaction that changed anything. */
  readonly sequence: number;
  /** Of the last that changed collections, chains or dataset types. */
  readonly structure: number;
  /** Of the last after which all must be read again: that changed the universe, or the fields that records of a dimension have. */
  readonly layout: number;
  /** Names of all fields that records of an element have, in one order for all. */
  readonly fields: Readonly<Record<string, readonly string[]>>;
  /** For the next collection or dataset type; never given twice. */
  readonly nextId: number;
  /** Paths with fields of the datasets of types that were defined with one, by name of the type. */
  readonly templates: Readonly<Record<string, string>>;
}

/** The version of the tables; undefined where there are none. Other errors pass. */
export async function readSchemaVersion(database: SharedDatabase): Promise<number | undefined> {
  const row = await database.selectFrom('information').select('value').where('name', '=', 'schema-version').executeTakeFirst();
  const version = Number(row?.value);
  return Number.isInteger(version) ? version : undefined;
}

/** Throws `unsupported-repository` for tables of another version, and `not-a-repository` where there is no catalogue. */
export async function readHead(database: SharedDatabase, where: string): Promise<Head> {
  const rows = await database.selectFrom('information').selectAll().execute();
  const values = new Map(rows.map(({ name, value }) => [name, value]));
  checkVersion(Number(values.get('schema-version')), where);
  const head = await database.selectFrom('head').selectAll().executeTakeFirst();
  const [identity, root] = [values.get('identity'), values.get('root')];
  if (head === undefined || identity === undefined || root === undefined) {
    throw new ButlerfsError('not-a-repository', {
      what: 'the catalogue',
      where,
      why: 'it was begun and never finished',
      advice: 'run butlerfs catalogue create again',
    });
  }
  return {
    identity,
    root,
    universe: values.get('universe') ?? null,
    sequence: Number(head.sequence),
    structure: Number(head.structure),
    layout: Number(values.get('layout') ?? 0),
    fields: readFieldNames(values.get('fields') ?? '{}'),
    nextId: Number(values.get('next-id') ?? 1),
    templates: readTemplates(values.get('templates') ?? '{}', where),
  };
}

function readTemplates(text: string, where: string): Readonly<Record<string, string>> {
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(text));
  } catch (cause) {
    throw new ButlerfsError('corrupt-repository', {
      what: 'the templates of dataset types',
      where,
      why: 'they are of another form',
      cause,
    });
  }
}

export function checkVersion(version: number, where: string): void {
  if (version === sharedSchemaVersion) return;
  if (version > sharedSchemaVersion) {
    throw new ButlerfsError('unsupported-repository', {
      what: 'the catalogue',
      where,
      why: `its tables are of version ${version}, this program knows ${sharedSchemaVersion}`,
      advice: 'use a newer butlerfs',
    });
  }
  throw new ButlerfsError('unsupported-repository', {
    what: 'the catalogue',
    where,
    why: `its tables are of version ${version}, this program needs ${sharedSchemaVersion}`,
    advice: 'bring them up to date: butlerfs catalogue create (nothing is lost)',
  });
}

export async function setInformation(database: SharedDatabase, name: string, value: string): Promise<void> {
  const { numUpdatedRows } = await database.updateTable('information').set({ value }).where('name', '=', name).executeTakeFirst();
  if (numUpdatedRows > 0n) return;
  const there = await database.selectFrom('information').select('name').where('name', '=', name).executeTakeFirst();
  if (there === undefined) await database.insertInto('information').values({ name, value }).execute();
}
