/** Listings of a directory by SFTP. */

import { isUtf8 } from 'node:buffer';
import { abortable } from '../../common/deadline.js';
import type { RemoteEntry } from '../contract.js';
import { StatusError, type DirectoryEntry, type RequestOptions, type SftpSession } from './sftp.js';
import type { Attributes } from './wire.js';

/** Links that are followed at a time. */
const FOLLOWED_AT_ONCE = 64;

/**
 * Entries of the directory at the real path `real`, sorted by name, with the attributes that came with the names. Of links, what they lead to where that is
 * below `root` (bytes as Latin-1); others, and what is neither file nor directory, are left out.
 */
export async function listDirectory(session: SftpSession, real: Uint8Array, root: string, options: RequestOptions): Promise<RemoteEntry[]> {
  const { what, signal } = options;
  const entries: RemoteEntry[] = [];
  const links: string[] = [];
  for (const { name, attributes } of await readEntries(session, real, options)) {
    const text = nameOf(name);
    if (text === undefined) continue;
    if (attributes.kind === 'link' || attributes.kind === null) links.push(text);
    else add(entries, text, attributes);
  }
  for (let at = 0; at < links.length; at += FOLLOWED_AT_ONCE) {
    const following = links.slice(at, at + FOLLOWED_AT_ONCE).map(async (name) => {
      const attributes = await follow(session, Buffer.concat([real, Buffer.from(`/${name}`)]), root, { what });
      if (attributes !== undefined) add(entries, name, attributes);
    });
    await abortable(Promise.all(following), signal, what);
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Whether `real` is `root` (bytes as Latin-1) or below it. */
export function isBelow(root: string, real: Uint8Array): boolean {
  const path = Buffer.from(real).toString('latin1');
  return path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`);
}

async function readEntries(session: SftpSession, path: Uint8Array, options: RequestOptions): Promise<DirectoryEntry[]> {
  const handle = await session.openDirectory(path, options);
  try {
    const all: DirectoryEntry[] = [];
    for (;;) {
      const some = await session.readDirectory(handle, options);
      if (some.length === 0) return all;
      for (const entry of some) all.push(entry);
    }
  } finally {
    session.close(handle);
  }
}

function nameOf(name: Buffer): string | undefined {
  if (!isUtf8(name)) return undefined;
  const text = name.toString();
  return text === '' || text === '.' || text === '..' || /[/\0]/.test(text) ? undefined : text;
}

function add(entries: RemoteEntry[], name: string, { kind, size, modified }: Attributes): void {
  if (kind !== 'file' && kind !== 'directory') return;
  entries.push({ name, kind, size: kind === 'file' ? size : null, modified: modified === null ? null : modified * 1000 });
}

async function follow(session: SftpSession, path: Uint8Array, root: string, options: RequestOptions): Promise<Attributes | undefined> {
  try {
    const [real, attributes] = await Promise.all([session.realpath(path, options), session.stat(path, options)]);
    return isBelow(root, real) ? attributes : undefined;
  } catch (error) {
    if (error instanceof StatusError) return undefined;
    throw error;
  }
}
