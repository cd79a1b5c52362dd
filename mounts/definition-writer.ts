/** Writes a definition into a YAML file, whose comments and order stay. */

import { createHash } from 'node:crypto';
import { mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isCollection, isMap, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { writeFileAtomically } from '../common/atomic.js';
import { ButlerfsError } from '../common/errors.js';
import type { WrittenDefinition } from '../registry/open.js';
import { hasErrno } from './errno.js';
import { lockSource } from './source-lock.js';

/** Where a definition is written. */
export interface DefinitionPlace {
  readonly file: string;
  /** The mapping that it goes into. */
  readonly keys: readonly string[];
  /** Of the file, where it is made. */
  readonly mode: number;
  /** The one repository that it is for, where others could read it too. */
  readonly repository?: string;
}

export interface WritingOptions {
  readonly lockDirectory: string;
  readonly signal: AbortSignal;
  readonly onProgress?: ((line: string) => void) | undefined;
}

/** Milliseconds that another process may write. */
const LOCK_DEADLINE = 30_000;

/**
 * Adds a definition; false where the same one is there. Writers on this host take turns; readers see the file before, or after. Rejects with `configuration` for a
 * file that is no YAML, or that has another definition of the name: the message shows both; and `read-only` for one that cannot be written.
 */
export async function addDefinition(
  place: DefinitionPlace,
  type: string,
  definition: WrittenDefinition,
  { lockDirectory, signal, onProgress = () => undefined }: WritingOptions,
): Promise<boolean> {
  const file = await realpath(place.file).catch(() => place.file);
  await mkdir(lockDirectory, { recursive: true, mode: 0o700 });
  const lock = join(lockDirectory, `define-${createHash('sha256').update(file).digest('hex').slice(0, 16)}.lock`);
  const onWait = (): void => onProgress(`waiting for another process that writes ${file}`);
  const unlock = await lockSource(lock, { signal, onWait, deadline: LOCK_DEADLINE });
  try {
    const { text, mode } = await readExisting(file, place.mode);
    const changed = withDefinition(text, { ...place, file }, type, definition);
    if (changed === undefined) return false;
    await write(file, changed, mode);
    return true;
  } finally {
    await unlock();
  }
}

async function readExisting(file: string, mode: number): Promise<{ readonly text: string; readonly mode: number }> {
  try {
    return { text: await readFile(file, 'utf8'), mode: (await stat(file)).mode & 0o777 };
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return { text: '', mode };
    throw notWritten(file, error);
  }
}

async function write(file: string, text: string, mode: number): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomically(file, text, mode);
  } catch (error) {
    throw notWritten(file, error);
  }
}

function notWritten(file: string, cause: unknown): ButlerfsError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const isRefused = hasErrno(cause, 'EACCES', 'EPERM', 'EROFS');
  const advice = isRefused ? '--user puts the definition into your configuration' : undefined;
  return new ButlerfsError(isRefused ? 'read-only' : 'configuration', { what: `cannot write ${file}`, why, advice, cause });
}

/** The text of the file with the definition; undefined where it has the same one already. Throws `configuration` as {@link addDefinition}. */
export function withDefinition(
  text: string,
  { file, keys, repository }: DefinitionPlace,
  type: string,
  definition: WrittenDefinition,
): string | undefined {
  const document = parseDocument(text, { prettyErrors: false });
  const fault = (why: string): ButlerfsError =>
    new ButlerfsError('configuration', { what: `cannot add dataset type '${type}' to ${file}`, why, advice: 'put the file right first' });
  const [syntax] = document.errors;
  if (syntax !== undefined) throw fault(`it is no YAML: ${syntax.code.toLowerCase().replaceAll('_', ' ')}`);
  if (document.contents !== null && !isMap(document.contents)) throw fault('it is no mapping');
  const wanted = { ...orderedKeys(definition), ...(repository !== undefined && { repository }) };
  const at = [...keys, type];
  if (document.hasIn(at)) {
    const there = plainIn(document, at);
    if (sameMeaning(there, wanted)) return undefined;
    throw new ButlerfsError('configuration', {
      what: `dataset type '${type}' is defined twice`,
      why: `${JSON.stringify(there)} [${file}] and ${JSON.stringify(wanted)} [the new definition]`,
      advice: 'take another name, or change the file',
    });
  }
  for (let length = 1; length <= keys.length; length++) makeMapping(document, keys.slice(0, length), fault);
  const node = document.createNode(wanted);
  for (const { value } of node.items) if (isCollection(value)) value.flow = true;
  document.setIn(at, node);
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

function makeMapping(document: Document, at: readonly string[], fault: (why: string) => ButlerfsError): void {
  const there: unknown = document.getIn(at, true);
  if (isMap(there)) {
    // What is added is read more easily below than within braces.
    if (there.items.length === 0) there.flow = false;
    return;
  }
  if (document.hasIn(at) && document.getIn(at) !== null) throw fault(`'${at.join('.')}' in it is no mapping`);
  document.setIn(at, document.createNode({}));
  const made: unknown = document.getIn(at, true);
  if (isMap(made)) made.flow = false;
}

function plainIn(document: Document, at: readonly string[]): unknown {
  return at.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], document.toJS({ maxAliasCount: 100 }));
}

/** In the order in which people write them, without what is not given. */
function orderedKeys({
  dimensions,
  location,
  template,
  name,
  format,
  storageClass,
  collection,
  directory,
  default: defaults,
}: WrittenDefinition) {
  const given = { dimensions: [...dimensions], location, template, name, format, storageClass, collection, directory, default: defaults };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function sameMeaning(one: unknown, other: unknown): boolean {
  const sorted = (value: unknown): string =>
    JSON.stringify(value, (key, part: unknown) => {
      if (key === 'dimensions' && Array.isArray(part)) return [...(part as string[])].sort();
      return typeof part === 'object' && part !== null && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort()) : part;
    });
  return sorted(one) === sorted(other);
}
