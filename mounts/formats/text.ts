/** Small files of a repository, read whole. */

import { ButlerfsError } from '../../common/errors.js';
import { saysAbsent } from '../../proxy/errors.js';
import { parseRemotePath } from '../../proxy/paths.js';
import type { Remote } from '../../proxy/contract.js';

/** Real ones hold some kilobytes. */
const LONGEST = 1024 * 1024;

/**
 * The text of a file below the root of a remote.
 *
 * @throws ButlerfsError `not-a-repository` where it is too large to be one of a repository's configuration; `remote-*`; `interrupted`.
 */
export async function readSmallText(remote: Remote, path: string, signal: AbortSignal): Promise<string> {
  const { bytes } = await remote.open(parseRemotePath(path), { signal });
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > LONGEST) {
      throw new ButlerfsError('not-a-repository', { what: `${path} of ${remote.url}`, why: `it is larger than ${LONGEST} bytes` });
    }
    parts.push(Buffer.from(chunk));
  }
  return Buffer.concat(parts).toString('utf8');
}

/** As {@link readSmallText}, of a file that need not be there: undefined where it is not. */
export async function readOptionalText(remote: Remote, path: string, signal: AbortSignal): Promise<string | undefined> {
  let text: string;
  try {
    text = await readSmallText(remote, path, signal);
  } catch (error) {
    if (saysAbsent(error)) return undefined;
    throw error;
  }
  // Some servers have a page for everything.
  return /^\s*<(!doctype|html|\?xml)/i.test(text) ? undefined : text;
}
