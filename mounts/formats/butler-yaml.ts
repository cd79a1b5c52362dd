/** Reads a repository's butler.yaml. */

import { ButlerfsError, asButlerfsError } from '../../common/errors.js';
import { parseRemotePath } from '../../proxy/paths.js';
import type { Remote } from '../../proxy/contract.js';

/** Real ones hold some kilobytes. */
const LONGEST = 1024 * 1024;

/**
 * The text of `butler.yaml` below the root of a remote; undefined where there is none.
 *
 * @throws ButlerfsError `not-a-repository` where there is something else under its name; `remote-*`; `interrupted`.
 */
export async function readButlerYaml(remote: Remote, signal: AbortSignal): Promise<string | undefined> {
  const text = await readText(remote, signal).catch((error: unknown) => {
    if (asButlerfsError(error).code !== 'remote-not-found') throw error;
    return undefined;
  });
  if (text !== undefined && /^\s*<(!doctype|html|\?xml)/i.test(text)) {
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
