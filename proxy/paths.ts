/** Paths below a remote's root: checked at the door, joined to URLs. */

import { ButlerfsError } from '../common/errors.js';
import type { RemotePath } from './contract.js';

/** Longest path taken, in bytes of UTF-8: Linux's PATH_MAX less its terminator. */
const MAX_PATH_BYTES = 4095;

/**
 * Checks a decoded, `/`-separated path. Throws `remote-forbidden` for one that could lead outside the root or names nothing: absolute, with empty, `.` or
 * `..` components, with NUL, longer than {@link MAX_PATH_BYTES}, or not well-formed Unicode.
 */
export function parseRemotePath(text: string): RemotePath {
  const why = faultOf(text);
  if (why === undefined) return text as RemotePath;
  throw new ButlerfsError('remote-forbidden', {
    what: `path ${JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}...` : text)}`,
    why,
    advice: 'a path of a repository is relative to its root and stays below it',
  });
}

function faultOf(text: string): string | undefined {
  if (text === '') return 'it is empty';
  if (text.startsWith('/')) return 'it is absolute';
  if (text.includes('\0')) return 'it holds a NUL character';
  if (/\p{Surrogate}/u.test(text)) return 'it is not well-formed Unicode';
  if (Buffer.byteLength(text) > MAX_PATH_BYTES) return `it is longer than ${MAX_PATH_BYTES} bytes`;
  for (const component of text.split('/')) {
    if (component === '') return 'it has an empty component';
    if (component === '.' || component === '..') return `it has a '${component}' component`;
  }
  return undefined;
}

/** The URL of `path` below `root` (a URL without a trailing slash), every component percent-encoded. */
export function joinRemoteUrl(root: string, path: RemotePath): string {
  return `${root}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** The decoded path of a URL, component by component. Throws `remote-forbidden` where its percent-encoding is malformed. */
export function decodeUrlPath(path: string): string {
  try {
    return path.split('/').map(decodeURIComponent).join('/');
  } catch (cause) {
    throw new ButlerfsError('remote-forbidden', { what: `path '${path}'`, why: 'its percent-encoding is malformed', cause });
  }
}
