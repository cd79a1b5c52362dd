/** The SQLite registries of a Gen2 repository: raw exposures, and calibrations. */

import { closeSync, openSync, readSync } from 'node:fs';
import { asButlerfsError, ButlerfsError } from '../../../common/errors.js';
import { didYouMean, nearestNames } from '../../../common/nearest.js';
import { Database } from '../../sqlite/driver.js';
import type { CalibrationRow } from './calibrations.js';

/** A raw file that registry.sqlite3 knows, with what it says of its exposure; null where it has no such column. */
export interface RawRow {
  readonly visit: number;
  readonly ccd: number;
  readonly filter: string;
  readonly field: string | null;
  readonly pointing: number | null;
  readonly dateObs: string | null;
  readonly taiObs: string | null;
  readonly proposal: string | null;
  /** Seconds. */
  readonly exposureTime: number | null;
}

/** What `raw_visit` says of an exposure. */
export type VisitRow = Pick<RawRow, 'visit' | 'filter' | 'field' | 'dateObs' | 'taiObs'>;

const header = 'SQLite format 3\0';

/** An SQLite file that others wrote. Throws `corrupt-repository` where it is none, or lacks a table or column that is asked for. */
export class Gen2Registry {
  readonly #database: Database;
  readonly #where: string;
  /** Columns by table. */
  readonly #tables = new Map<string, readonly string[]>();

  /** `file` is on this host; `where` names it in messages. */
  constructor(file: string, where: string) {
    this.#where = where;
    checkHeader(file, where);
    try {
      this.#database = new Database(file, { readonly: true, fileMustExist: true, timeout: 10_000 });
    } catch (cause) {
      throw registryError(cause, where);
    }
    try {
      this.#database.exec('begin');
      const names = this.#database.prepare("select name from sqlite_master where type = 'table'").pluck().all() as string[];
      for (const name of names) {
        const columns = this.#database.pragma(`table_info(${quote(name)})`) as { name: string }[];
        this.#tables.set(name, Object.freeze(columns.map((column) => column.name)));
      }
    } catch (cause) {
      this.#database.close();
      throw registryError(cause, where);
    }
  }

  hasTable(name: string): boolean {
    return this.#tables.has(name);
  }

  /** Rows of `raw`; `onWarning` is told of each that cannot be used, and why. */
  *raws(onWarning: (message: string) => void): IterableIterator<RawRow> {
    const optional = ['field', 'pointing', 'dateObs', 'taiObs', 'proposal', 'expTime'];
    for (const row of this.#rows('raw', ['visit', 'ccd', 'filter'], optional)) {
      const [visit, ccd] = [integerOf(row['visit']), integerOf(row['ccd'])];
      const filter = textOf(row['filter']);
      if (visit === null || ccd === null || filter === null) {
        onWarning(
          `${this.#where}: a row of raw is left out: visit ${shown(row['visit'])}, ccd ${shown(row['ccd'])}, filter ${shown(row['filter'])}`,
        );
        continue;
      }
      const expTime = row['expTime'];
      yield {
        visit,
        ccd,
        filter,
        field: textOf(row['field']),
        pointing: integerOf(row['pointing']),
        dateObs: textOf(row['dateObs']),
        taiObs: textOf(row['taiObs']),
        proposal: textOf(row['proposal']),
        exposureTime: typeof expTime === 'number' ? expTime : typeof expTime === 'bigint' ? Number(expTime) : null,
      };
    }
  }

  /** Rows of `raw_visit`; none where there is no such table. */
  *visits(onWarning: (message: string) => void): IterableIterator<VisitRow> {
    if (!this.hasTable('raw_visit')) return;
    for (const row of this.#rows('raw_visit', ['visit', 'filter'], ['field', 'dateObs', 'taiObs'])) {
      const visit = integerOf(row['visit']);
      const filter = textOf(row['filter']);
      if (visit === null || filter === null) {
        onWarning(`${this.#where}: a row of raw_visit is left out: visit ${shown(row['visit'])}, filter ${shown(row['filter'])}`);
        continue;
      }
      yield { visit, filter, field: textOf(row['field']), dateObs: textOf(row['dateObs']), taiObs: textOf(row['taiObs']) };
    }
  }

  /** Rows of a table of calibrations; none where there is no such table, as a camera need not have every kind. */
  *calibrations(type: string, onWarning: (message: string) => void): IterableIterator<CalibrationRow> {
    if (!this.hasTable(type)) return;
    for (const row of this.#rows(type, ['ccd', 'calibDate', 'validStart', 'validEnd'], ['filter'])) {
      const ccd = integerOf(row['ccd']);
      const [calibDate, validStart, validEnd] = [textOf(row['calibDate']), textOf(row['validStart']), textOf(row['validEnd'])];
      if (ccd === null || calibDate === null || validStart === null || validEnd === null) {
        onWarning(`${this.#where}: a row of ${type} is left out: ccd ${shown(row['ccd'])}, calibDate ${shown(row['calibDate'])}`);
        continue;
      }
      yield { ccd, calibDate, validStart, validEnd, filter: textOf(row['filter']) };
    }
  }

  *#rows(table: string, needed: readonly string[], optional: readonly string[]): IterableIterator<Record<string, unknown>> {
    const columns = this.#tables.get(table);
    if (columns === undefined) throw this.#missing(`table '${table}'`, table, [...this.#tables.keys()]);
    const lacking = needed.find((column) => !columns.includes(column));
    if (lacking !== undefined) throw this.#missing(`column '${lacking}' of table '${table}'`, lacking, columns);
    const selected = [...needed, ...optional.filter((column) => columns.includes(column))];
    try {
      const statement = this.#database.prepare(`select ${selected.map(quote).join(', ')} from ${quote(table)}`).safeIntegers();
      for (const row of statement.iterate()) yield row as Record<string, unknown>;
    } catch (error) {
      throw registryError(error, this.#where);
    }
  }

  #missing(what: string, name: string, known: readonly string[]): ButlerfsError {
    return new ButlerfsError('corrupt-repository', {
      what,
      where: this.#where,
      why: 'a Gen2 registry has it',
      advice: didYouMean(nearestNames(name, known)) ?? `there are ${known.join(', ') || 'none'}`,
    });
  }

  close(): void {
    this.#database.close();
  }
}

function checkHeader(file: string, where: string): void {
  const start = Buffer.alloc(header.length);
  let length: number;
  try {
    const descriptor = openSync(file, 'r');
    try {
      length = readSync(descriptor, start, 0, start.length, 0);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw registryError(cause, where);
  }
  if (start.toString('latin1') === header) return;
  throw new ButlerfsError('corrupt-repository', {
    what: 'the registry',
    where,
    why: length === 0 ? 'it is empty' : 'it is no SQLite file',
    advice: 'restore it, or take it away: without it the files themselves say what there is',
  });
}

function registryError(error: unknown, where: string): ButlerfsError {
  if (!(error instanceof Database.SqliteError)) return asButlerfsError(error);
  const advice = 'restore it, or take it away: without it the files themselves say what there is';
  return new ButlerfsError('corrupt-repository', { what: 'the registry', where, why: error.message, advice, cause: error });
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** An integer from 0, as data IDs of Gen2 hold them, also where a column took it as a text. */
function integerOf(value: unknown): number | null {
  const isNumeric = typeof value === 'bigint' || typeof value === 'number' || (typeof value === 'string' && /^\d{1,15}$/.test(value));
  const number = isNumeric ? Number(value) : NaN;
  return Number.isSafeInteger(number) && number >= 0 ? number : null;
}

/** A text that a path can hold; SQLite columns may hold anything. */
function textOf(value: unknown): string | null {
  if (typeof value !== 'string' || value === '' || value.includes('\0') || Buffer.byteLength(value) > 255) return null;
  return /\p{Surrogate}/u.test(value) ? null : value;
}

function shown(value: unknown): string {
  const text = typeof value === 'bigint' ? String(value) : JSON.stringify(value ?? null);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
