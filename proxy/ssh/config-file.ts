/** The form of ssh_config(5): lines of a keyword and arguments, and files that include others. */

import { readFile, readdir, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { ButlerfsError } from '../../common/errors.js';
import { matchesPattern } from './patterns.js';

export interface Directive {
  /** In lower case. */
  readonly keyword: string;
  readonly words: readonly string[];
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Of `Include`: the directives of the files that it names, in order. */
  readonly included?: readonly (readonly Directive[])[];
}

export interface ConfigFile {
  readonly path: string;
  /** Where relative names of `Include` start; `~` there is `home`. */
  readonly includeDirectory: string;
  readonly home: string;
  /** Whether, as ssh(1) demands of a user's own, nobody else may be able to write to it. */
  readonly isPrivate: boolean;
}

/** As deep as ssh(1) follows. */
const DEEPEST_INCLUDE = 16;

/**
 * The directives of a file; none where it is not there or cannot be read. Throws `configuration` for a line that cannot be understood, for files that include
 * each other, and for a private file that others may write to.
 */
export async function readConfigFile(file: ConfigFile, depth = 0): Promise<readonly Directive[]> {
  const text = await readText(file);
  const directives = text === undefined ? [] : parseConfigText(text, file.path);
  return Promise.all(
    directives.map(async (directive) => {
      if (directive.keyword !== 'include') return directive;
      if (depth === DEEPEST_INCLUDE) throw wrongLine(directive, 'files include one another without end');
      const paths = (await Promise.all(directive.words.map((word) => findIncluded(word, file)))).flat();
      return { ...directive, included: await Promise.all(paths.map((path) => readConfigFile({ ...file, path }, depth + 1))) };
    }),
  );
}

export function parseConfigText(text: string, file: string): Directive[] {
  return text.split('\n').flatMap((content, index) => {
    const match = /^\s*([^\s=#"][^\s=]*)(?:\s*=\s*|\s+|$)(.*)$/s.exec(content.replace(/\r$/, ''));
    if (match === null) return [];
    const at = { file, line: index + 1 };
    return [{ keyword: match[1]!.toLowerCase(), words: splitWords(match[2]!, at), ...at }];
  });
}

export function wrongLine({ file, line }: Pick<Directive, 'file' | 'line'>, why: string): ButlerfsError {
  return new ButlerfsError('configuration', { what: `${file}:${line}`, why });
}

/** Words apart by white space; quotes hold it, a backslash takes a quote or itself literally, `#` at the beginning of a word ends the line. */
function splitWords(text: string, at: Pick<Directive, 'file' | 'line'>): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (quote === undefined && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (word === undefined && character === '#') break;
    else if (character === quote) quote = undefined;
    else if (quote === undefined && (character === '"' || character === "'")) {
      quote = character;
      word ??= '';
    } else if (character === '\\' && /["'\\ ]/.test(text[i + 1] ?? '')) word = `${word ?? ''}${text[++i]!}`;
    else word = `${word ?? ''}${character}`;
  }
  if (quote !== undefined) throw wrongLine(at, 'a quote is not closed');
  if (word !== undefined) words.push(word);
  return words;
}

async function readText({ path, isPrivate }: ConfigFile): Promise<string | undefined> {
  try {
    if (isPrivate) await expectPrivate(path);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof ButlerfsError) throw error;
    return undefined;
  }
}

async function expectPrivate(path: string): Promise<void> {
  const { uid, mode } = await stat(path);
  if ((uid === 0 || uid === process.getuid?.()) && (mode & 0o022) === 0) return;
  throw new ButlerfsError('configuration', {
    what: path,
    why: 'others may write to it, or own it',
    advice: `chmod go-w ${path}`,
  });
}

/** Files that an argument of `Include` names, sorted; wildcards stand in any component. */
async function findIncluded(word: string, { includeDirectory, home }: ConfigFile): Promise<string[]> {
  const expanded = word === '~' || word.startsWith('~/') ? join(home, word.slice(1)) : word;
  const path = isAbsolute(expanded) ? expanded : join(includeDirectory, expanded);
  let found = ['/'];
  for (const component of path.split('/').filter((part) => part !== '')) {
    if (!/[*?]/.test(component)) {
      found = found.map((directory) => join(directory, component));
      continue;
    }
    const listed = await Promise.all(
      found.map(async (directory) => {
        const names = await readdir(directory).catch(() => []);
        const fitting = names.filter((name) => matchesPattern(component, name) && (component.startsWith('.') || !name.startsWith('.')));
        return fitting.sort().map((name) => join(directory, name));
      }),
    );
    found = listed.flat();
  }
  return found.filter((path) => path !== dirname(path));
}
