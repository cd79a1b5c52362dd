/** What a repository says in a file `butlerfs.yaml` at its root of its own names: aliases of keys, flavours of coadds. */

import { parseDocument, LineCounter } from 'yaml';
import { z } from 'zod';
import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import { aliasesSchema, type KeyAliases, meaningKeys } from './aliases.js';
import { flavorsSchema, type FlavorNames } from './coadd-flavors.js';

/** Plain data: it is kept in the catalogue. */
export interface RepositoryNames {
  readonly aliases?: KeyAliases | undefined;
  readonly flavors?: FlavorNames | undefined;
}

/** Its part of the file; other keys are for others to read. */
export const namesShape = { aliases: aliasesSchema.optional(), flavors: flavorsSchema.optional() };
export const namesSchema: z.ZodType<RepositoryNames> = z.object(namesShape);

/** Undefined for a text that has none of both. Throws `configuration`, naming the file (`where`), the line and the key, for one that is not understood. */
export function parseRepositoryNames(text: string, where: string): RepositoryNames | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [syntax] = document.errors;
  if (syntax !== undefined) throw faulty(where, lines.linePos(syntax.pos[0]).line, syntax.code.toLowerCase().replaceAll('_', ' '));
  const parsed = namesSchema.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  if (!parsed.success) {
    const { path, why } = faultOfNames(parsed.error.issues[0]!);
    throw faulty(where, lineOf(document, lines, path), `'${path.join('.')}' ${why}`);
  }
  const { aliases, flavors } = parsed.data;
  return aliases === undefined && flavors === undefined ? undefined : { aliases, flavors };
}

/**
 * Where and what is wrong with `aliases:` or `flavors:`. An alias may have three forms: what is wrong with the form that was meant is said by the issue that goes deepest.
 */
export function faultOfNames(issue: z.core.$ZodIssue): { readonly path: readonly PropertyKey[]; readonly why: string } {
  if (issue.code === 'invalid_key') return { path: issue.path, why: issue.issues[0]?.message ?? issue.message };
  if (issue.code !== 'invalid_union') {
    if (issue.code === 'unrecognized_keys') return unknownKey(issue.path, issue.keys[0]!);
    return {
      path: issue.path,
      why: issue.code === 'invalid_type' ? `must be a ${issue.expected === 'record' ? 'mapping' : issue.expected}` : issue.message,
    };
  }
  const inner = issue.errors.flat().map((one) => faultOfNames({ ...one, path: [...issue.path, ...one.path] }));
  const deepest = inner.reduce((best, one) => (one.path.length > best.path.length ? one : best), inner[0]!);
  if (deepest.path.length > issue.path.length) return deepest;
  return { path: issue.path, why: 'must be a name, or what it means: {means: detector, instrument: DECam}, or a list of these' };
}

function unknownKey(path: readonly PropertyKey[], key: string): ReturnType<typeof faultOfNames> {
  const advice = didYouMean(nearestNames(key, meaningKeys, 1)) ?? `known here: ${meaningKeys.join(', ')}`;
  return { path: [...path, key], why: `is an unknown key; ${advice}` };
}

function faulty(where: string, line: number, why: string): ButlerfsError {
  return new ButlerfsError('configuration', {
    what: `${where}:${line}`,
    why,
    advice: 'docs/paths.md has the forms of aliases and flavors',
  });
}

/** Line of the innermost part of `path` that the file has. */
function lineOf(document: ReturnType<typeof parseDocument>, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    const range =
      typeof node === 'object' && node !== null && 'range' in node ? (node.range as [number, number, number] | undefined) : undefined;
    if (range !== undefined) return lines.linePos(range[0]).line;
  }
  return 1;
}
