/** From the URL of an object to the remote that has it: the repository's own, its local copy of the registry, or another server it names. */

import { fileURLToPath } from 'node:url';
import { dirname, basename } from 'node:path';
import type { OriginObject, OriginOpener } from '../cache/contract.js';
import { openRemote, type RemoteSettings } from '../proxy/assemble.js';
import type { Remote } from '../proxy/contract.js';
import { decodeUrlPath, parseRemotePath } from '../proxy/paths.js';
import type { OpenedSource } from './source.js';

export interface Origins {
  readonly open: OriginOpener;
  /** Closes the remotes of other servers; the repository's own belongs to its source. */
  close(): Promise<void>;
}

export function openOrigins(opened: Pick<OpenedSource, 'remote' | 'copies'>, settings: RemoteSettings): Origins {
  const others = new Map<string, Remote>();
  const other = (root: string): Remote => {
    let remote = others.get(root);
    if (remote === undefined) others.set(root, (remote = openRemote(root, settings)));
    return remote;
  };
  const locate = (origin: string): { readonly remote: Remote; readonly path: string } => {
    // Such as the registry, which was fetched to be catalogued: its readers get the version that the tree shows.
    const copy = opened.copies.get(origin);
    if (copy !== undefined) return { remote: other(dirname(copy)), path: basename(copy) };
    const root = `${opened.remote.url}/`;
    if (origin.startsWith(root)) return { remote: opened.remote, path: decodeUrlPath(origin.slice(root.length)) };
    const url = new URL(origin);
    if (url.protocol === 'file:') {
      const file = fileURLToPath(url);
      return { remote: other(dirname(file)), path: basename(file) };
    }
    return { remote: other(url.origin), path: decodeUrlPath(url.pathname.slice(1)) };
  };
  return {
    open: (origin): OriginObject => {
      const { remote, path } = locate(origin);
      const checked = parseRemotePath(path);
      return {
        stat: (options) => remote.stat(checked, options),
        open: (options) => remote.open(checked, options),
      };
    },
    close: async () => {
      await Promise.all([...others.values()].map((remote) => remote.close()));
    },
  };
}
