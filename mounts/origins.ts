/** Which URL a file of a repository has, and which locations a repository may send its readers to. */

import { ButlerfsError } from '../common/errors.js';
import { decodeUrlPath, joinRemoteUrl, parseRemotePath } from '../proxy/paths.js';

/**
 * The URL of a file by its recorded location: a path relative to the repository, or an absolute URI. A remote repository may name files on other web
 * servers, but none on this host: a `file:` URI of a repository behind SSH is meant on its own host, and must be below its root. Throws `remote-forbidden`.
 */
export function originOf(repositoryUrl: string, location: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(location)) return joinRemoteUrl(repositoryUrl, parseRemotePath(location));
  let url: URL;
  try {
    url = new URL(location);
  } catch (cause) {
    throw new ButlerfsError('remote-forbidden', { what: `location '${location}'`, where: repositoryUrl, why: 'it is not a URL', cause });
  }
  if (url.protocol === 'http:' || url.protocol === 'https:') {
    url.username = '';
    url.password = '';
    return url.href;
  }
  if (url.protocol === 'file:' && repositoryUrl.startsWith('file:')) return url.href;
  if (url.protocol === 'file:' && repositoryUrl.startsWith('ssh:')) return atItsHost(repositoryUrl, url);
  throw new ButlerfsError('remote-forbidden', {
    what: `location '${location}'`,
    where: repositoryUrl,
    why: url.protocol === 'file:' ? 'a remote repository may not name files of this host' : `files by ${url.protocol}// cannot be read`,
    advice: url.protocol === 'file:' ? 'its files can be read where the repository itself is a directory of the host' : undefined,
  });
}

function atItsHost(repositoryUrl: string, { pathname }: URL): string {
  const root = `${decodeUrlPath(new URL(repositoryUrl).pathname)}/`;
  const file = decodeUrlPath(pathname);
  if (file.startsWith(root)) return joinRemoteUrl(repositoryUrl, parseRemotePath(file.slice(root.length)));
  throw new ButlerfsError('remote-forbidden', {
    what: `file '${file}'`,
    where: repositoryUrl,
    why: 'it is outside of the repository',
    advice: 'mount a directory of that host that holds both',
  });
}
