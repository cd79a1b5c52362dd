/** YAML files that users write: checked against a schema, with the line of what is wrong. */

import { LineCounter, isMap, isNode, isScalar, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import type { z } from 'zod';
import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';

/** A file as it was read. */
export interface FileText {
  readonly text: string;
  /** In messages. */
  readonly where: string;
}

export interface ValidatedFile<Value> {
  readonly value: Value;
  readonly where: string;
  /** Line of the innermost part of a path that the file has, from 1. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
}

/**
 * Reads a file. Throws `configuration` with its line and the key for one that is not of the schema; `knownKeys` names the keys that may stand at a place, for the
 * nearest one.
 */
export function readValidatedYaml<Schema extends z.ZodType>(
  { text, where }: FileText,
  schema: Schema,
  knownKeys: (path: readonly PropertyKey[]) => readonly string[],
): ValidatedFile<z.output<Schema>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [syntax] = document.errors;
  if (syntax !== undefined) {
    const why = syntax.code.toLowerCase().replaceAll('_', ' ');
    throw new ButlerfsError('configuration', { what: `${where}:${lines.linePos(syntax.pos[0]).line}`, why });
  }
  const lineOf = (path: readonly PropertyKey[]): number => lineOfKey(document, lines, path);
  let raw: unknown;
  try {
    raw = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (cause) {
    throw new ButlerfsError('configuration', { what: where, why: 'its YAML cannot be resolved', cause });
  }
  const result = schema.safeParse(raw);
  if (result.success) return { value: result.data, where, lineOf };
  // A misspelt key is also a missing one: what was meant is said by the first.
  const { issues } = result.error;
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const known = knownKeys(issue.path);
    throw new ButlerfsError('configuration', {
      what: `${where}:${lineOf([...issue.path, key])}`,
      why: `unknown key '${[...issue.path, key].join('.')}'`,
      advice: didYouMean(nearestNames(key, known, 1)) ?? `known here: ${known.join(', ')}`,
    });
  }
  const why = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  throw new ButlerfsError('configuration', { what: `${where}:${lineOf(issue.path)}`, why: `'${issue.path.join('.')}': ${why}` });
}

/** Line of the innermost key of a path that a document has, from 1. */
export function lineOfKey(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const parent: unknown = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const pair = isMap(parent) ? parent.items.find(({ key }) => isScalar(key) && key.value === path[length - 1]) : undefined;
    const node = pair?.key ?? document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}
