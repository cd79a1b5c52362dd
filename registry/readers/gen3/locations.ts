/** Where a Gen3 datastore record says that its file is. */

/** The part of a stored file that its path tells. */
export interface FileLocation {
  /** Relative to the repository's root and decoded, or an absolute URI. */
  readonly location: string;
  readonly member: string | null;
  readonly extension: string;
}

/** A path that is not followed, and why. */
export interface RefusedLocation {
  readonly refused: string;
}

const absoluteUri = /^[a-z][a-z0-9+.-]*:\/\//i;
const memberMark = '#zip-path=';

/**
 * Reads the `path` of a datastore record as the reference software does, but that `~` and `$VAR` are never expanded, nothing leads out of the root, and
 * `#` marks a fragment only where a member of a zip archive follows.
 *
 * An absolute URI is kept. A relative path that holds an escape of two upper-case hexadecimal digits is taken as percent-encoded throughout, any other
 * literally. `root` is that of the datastore: '' for the repository's own, a path below it, or an absolute URI.
 */
export function parseLocation(path: string, root: string): FileLocation | RefusedLocation {
  if (path.includes('\0')) return { refused: 'it holds a NUL' };
  const { file, member } = splitMember(path);
  if (member === '') return { refused: 'it names a member of a zip archive, but not which' };
  if (absoluteUri.test(file) || file.startsWith('file:'))
    return { location: file, member, extension: extensionOf(member ?? uriPath(file)) };
  const decoded = /%[A-F0-9]{2}/.test(path) ? decodeEscapes(file) : file;
  if (decoded.includes('\0')) return { refused: 'it holds a NUL' };
  const components = decoded.split('/').filter((component) => component !== '' && component !== '.');
  if (components.includes('..')) return { refused: "it leads out of its directory with '..'" };
  if (components.length === 0) return { refused: 'it names no file' };
  const relative = components.join('/');
  const extension = extensionOf(member ?? relative);
  if (decoded.startsWith('/')) return { location: `file:///${encodePath(components)}`, member, extension };
  if (absoluteUri.test(root)) return { location: `${root}/${encodePath(components)}`, member, extension };
  return { location: root === '' ? relative : `${root}/${relative}`, member, extension };
}

function splitMember(path: string): { file: string; member: string | null } {
  const start = path.lastIndexOf(memberMark);
  if (start < 0 || path.indexOf('/', start) >= 0) return { file: path, member: null };
  return { file: path.slice(0, start), member: decodeEscapes(path.slice(start + memberMark.length)) };
}

/** Well-formed escapes become the bytes they stand for; malformed ones stay as they are. */
function decodeEscapes(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'));
}

function encodePath(components: readonly string[]): string {
  return components.map(encodeURIComponent).join('/');
}

function uriPath(uri: string): string {
  return URL.canParse(uri) ? decodeEscapes(new URL(uri).pathname) : uri;
}

/** With the dot, in lower case; that of a compressed file together with the one before it (`.fits.gz`). Empty where the last component has none. */
export function extensionOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const match = /[^.](\.[a-z0-9_+-]{1,16}?(?:\.(?:gz|bz2|xz|zst|fz))?)$/i.exec(name);
  return match === null ? '' : match[1]!.toLowerCase();
}
