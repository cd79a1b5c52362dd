/** Reads a repository's butler.yaml, and says what is there instead where it is not one. */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ButlerfsError, asButlerfsError } from '../common/errors.js';
import { parseRemotePath } from '../proxy/paths.js';
import type { Remote } from '../proxy/contract.js';

/** Real ones hold some kilobytes. */
const LONGEST = 1024 * 1024;

/**
 * The text of `butler.yaml` below the root of a remote.
 *
 * @throws ButlerfsError `not-a-repository` where there is none, or something else under its name; `remote-*`; `interrupted`.
 */
export async function readButlerYaml(remote: Remote, directory: string | undefined, signal: AbortSignal): Promise<string> {
  const text = await readText(remote, signal).catch(async (error: unknown) => {
    if (asButlerfsError(error).code !== 'remote-not-found') throw error;
    throw await missing(remote, directory, error);
  });
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) {
    throw new ButlerfsError('not-a-repository', {
      what: `butler.yaml of ${remote.url}`,
      why: 'the server answers with a web page in its place',
      advice: 'check the URL: it must be the directory that holds butler.yaml, served without a login page',
    });
  }
  return text;
}

async function readText(remote: Remote, signal: AbortSignal): Promise<string> {
  const { bytes } = await remote.open(parseRemotePath('butler.yaml'), { signal });
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > LONGEST) {
      throw new ButlerfsError('not-a-repository', { what: `butler.yaml of ${remote.url}`, why: `it is larger than ${LONGEST} bytes` });
    }
    parts.push(Buffer.from(chunk));
  }
  return Buffer.concat(parts).toString('utf8');
}

async function missing(remote: Remote, directory: string | undefined, cause: unknown): Promise<ButlerfsError> {
  const what = 'looked for butler.yaml';
  if (directory === undefined) {
    return new ButlerfsError('not-a-repository', {
      what,
      where: remote.url,
      why: 'the server has none there',
      advice: 'give the URL of the directory that holds it',
      cause,
    });
  }
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) {
    return new ButlerfsError('not-a-repository', { what, where: directory, why: 'there is no such directory', cause });
  }
  const names = entries.map((entry) => entry.name);
  if (names.includes('_mapper') || names.includes('repositoryCfg.yaml')) {
    return new ButlerfsError('unsupported-repository', {
      what: `${directory} is a Gen2 repository`,
      why: 'this version reads Gen3',
      cause,
    });
  }
  for (const name of names.slice(0, 1_000)) {
    const below = join(directory, name);
    if ((await stat(join(below, 'butler.yaml')).catch(() => undefined)) !== undefined) {
      return new ButlerfsError('not-a-repository', {
        what,
        where: directory,
        why: 'none is there',
        advice: `one is in ${below}: try that`,
        cause,
      });
    }
  }
  return new ButlerfsError('not-a-repository', {
    what,
    where: directory,
    why: 'none is there, nor in a folder of it',
    advice: 'give the directory that holds it',
    cause,
  });
}
