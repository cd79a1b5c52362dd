/** `butler.yaml`: where a Gen3 repository keeps its registry and its files. */

import { parseDocument } from 'yaml';
import { z } from 'zod';
import { ButlerfsError } from '../../../common/errors.js';

export interface Gen3Datastore {
  /** '' for the repository's own directory, a path below it without leading or trailing slash, or an absolute URI without trailing slash. */
  readonly root: string;
  /** The registry table that holds the records of its files. */
  readonly recordsTable: string;
}

export interface Gen3Configuration {
  /** Path of the SQLite registry, relative to the repository's root. */
  readonly registry: string;
  /** In the order in which the repository asks them for a dataset; those that keep files. */
  readonly datastores: readonly Gen3Datastore[];
}

interface DatastoreShape {
  cls?: string | null | undefined;
  root?: string | null | undefined;
  records?: { table?: string | null | undefined } | null | undefined;
  datastores?: DatastoreShape[] | null | undefined;
}

const datastoreShape: z.ZodType<DatastoreShape> = z.lazy(() =>
  z.looseObject({
    cls: z.string().nullish(),
    root: z.string().nullish(),
    records: z.looseObject({ table: z.string().nullish() }).nullish(),
    datastores: z.array(datastoreShape).nullish(),
  }),
);
const configurationShape = z.looseObject({
  cls: z.string().nullish(),
  remote_butler: z.unknown().optional(),
  datastore: datastoreShape.nullish(),
  registry: z.looseObject({ db: z.string().nullish(), namespace: z.string().nullish() }).nullish(),
});

const butlerRoot = '<butlerRoot>';

/** What `butler.yaml` says, whatever keeps the registry. */
export interface ButlerConfiguration {
  /** SQLAlchemy's URL of the registry. It may hold a password. */
  readonly db: string;
  /** The schema that holds the registry's tables, where it is named. */
  readonly namespace: string | undefined;
  readonly datastores: readonly Gen3Datastore[];
}

/**
 * Reads the text of `butler.yaml`. `where` is the repository: an absolute directory or a URL.
 * Throws `not-a-repository` for another kind of file, and `unsupported-repository` for a butler server and a datastore of a kind that keeps no files below the
 * repository. Keys that are not understood are left alone.
 */
export function parseButlerYaml(text: string, where: string): ButlerConfiguration {
  const configuration = configurationShape.safeParse(parseYaml(text, where));
  if (!configuration.success) {
    const issue = configuration.error.issues[0];
    const place = issue === undefined || issue.path.length === 0 ? 'it' : `'${issue.path.join('.')}'`;
    throw notARepository(where, `${place} is not what a butler configuration has there`, configuration.error);
  }
  const { cls, remote_butler: remote, datastore, registry } = configuration.data;
  if (remote !== undefined || cls?.endsWith('RemoteButler') === true) {
    throw unsupported(where, 'it belongs to a butler server, which is not supported', 'mount the repository that the server serves');
  }
  if (datastore === undefined && registry === undefined) throw notARepository(where, "it has neither 'datastore' nor 'registry'");
  const datastores = datastore ? fileDatastores(datastore, where) : [{ root: '', recordsTable: defaultRecordsTable }];
  if (datastores.length === 0) throw unsupported(where, 'none of its datastores keeps files', 'mount a repository with a FileDatastore');
  return { db: registry?.db ?? `sqlite:///${butlerRoot}/gen3.sqlite3`, namespace: registry?.namespace ?? undefined, datastores };
}

/** As {@link parseButlerYaml}, of a repository whose registry is an SQLite file below its root: `unsupported-repository` for any other. */
export function parseButlerConfiguration(text: string, where: string): Gen3Configuration {
  const { db, datastores } = parseButlerYaml(text, where);
  return { registry: registryPath(db, where), datastores };
}

const defaultRecordsTable = 'file_datastore_records';

function parseYaml(text: string, where: string): unknown {
  const document = parseDocument(text, { logLevel: 'error' });
  const [error] = document.errors;
  if (error !== undefined) throw notARepository(where, `it is not YAML: ${error.message.split('\n')[0]}`, error);
  try {
    return document.toJS();
  } catch (cause) {
    throw notARepository(where, 'its YAML cannot be resolved', cause);
  }
}

function notARepository(where: string, why: string, cause?: unknown): ButlerfsError {
  return new ButlerfsError('not-a-repository', {
    what: 'butler.yaml',
    where,
    why,
    advice: 'give the directory or URL of a Gen3 repository',
    cause,
  });
}

function unsupported(where: string, why: string, advice?: string): ButlerfsError {
  return new ButlerfsError('unsupported-repository', { what: 'the butler configuration', where, why, advice });
}

function fileDatastores(datastore: DatastoreShape, where: string): Gen3Datastore[] {
  const cls = datastore.cls ?? 'FileDatastore';
  if (cls.endsWith('ChainedDatastore')) return (datastore.datastores ?? []).flatMap((child) => fileDatastores(child, where));
  if (cls.endsWith('InMemoryDatastore')) return [];
  if (!cls.endsWith('FileDatastore'))
    throw unsupported(where, `its datastore is of the kind ${cls}`, 'FileDatastore and ChainedDatastore are supported');
  return [{ root: datastoreRoot(datastore.root ?? butlerRoot, where), recordsTable: datastore.records?.table ?? defaultRecordsTable }];
}

function datastoreRoot(root: string, where: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(root)) return root.replace(/\/+$/, '');
  const inside = insideRepository(root, where);
  if (inside !== undefined) return inside;
  if (root.startsWith('/') && !root.split('/').includes('..')) return `file://${encodeURI(root.replace(/\/+$/, ''))}`;
  throw unsupported(where, `the datastore's root '${root}' leads out of the repository`);
}

/** Relative to the repository's root, or undefined for a place outside. */
function insideRepository(path: string, where: string): string | undefined {
  let relative = path;
  if (path.startsWith(butlerRoot)) relative = path.slice(butlerRoot.length);
  else if (path.startsWith('/')) {
    if (path !== where && !path.startsWith(`${where}/`)) return undefined;
    relative = path.slice(where.length);
  }
  const components = relative.split('/').filter((component) => component !== '' && component !== '.');
  return components.includes('..') ? undefined : components.join('/');
}

function registryPath(db: string, where: string): string {
  const match = /^sqlite(?:\+\w+)?:\/\/\/([^?]+)/.exec(db);
  if (match === null) {
    // The URL may hold a password: only its scheme is named.
    const scheme = /^[\w+.-]+/.exec(db)?.[0] ?? 'unknown';
    throw unsupported(where, `its registry is kept by '${scheme}'`, 'registries in SQLite and PostgreSQL are supported');
  }
  const path = match[1]!;
  const inside = insideRepository(path, where);
  if (inside !== undefined && inside !== '') return inside;
  throw unsupported(
    where,
    `its registry '${path}' lies outside the repository`,
    'mount the directory that holds both, or move the registry below it',
  );
}
