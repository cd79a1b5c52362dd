/** Files that appear whole or not at all: written under a temporary name, synced, then linked or renamed into place. */

import { randomBytes } from 'node:crypto';
import { open, link, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A name beside `target` that no other process or call uses. */
export function temporaryBeside(target: string): string {
  return `${target}.${process.pid}-${randomBytes(6).toString('hex')}.part`;
}

/** Makes the names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes all of `bytes` at the end of the file. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
}

/** Writes `content` to `target`, replacing what is there. Readers see the old content or the new, also after a crash. */
export async function writeFileAtomically(target: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = await writeTemporary(target, content, mode);
  try {
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(target));
}

/** Writes `content` to `target` unless something is there; returns whether it was this call that created it. */
export async function createFileAtomically(target: string, content: string | Uint8Array, mode = 0o600): Promise<boolean> {
  const temporary = await writeTemporary(target, content, mode);
  try {
    await link(temporary, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDirectory(dirname(target));
  return true;
}

async function writeTemporary(target: string, content: string | Uint8Array, mode: number): Promise<string> {
  const temporary = temporaryBeside(target);
  const handle = await open(temporary, 'wx', mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  return temporary;
}
