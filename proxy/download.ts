/** Brings one object into a file of its own. */

import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory, temporaryBeside, writeAll } from '../common/atomic.js';
import { ButlerfsError } from '../common/errors.js';
import { discard } from './body.js';
import type { ObjectStat, Remote, RemoteBody, RemotePath } from './contract.js';
import { systemCodeOf } from './errors.js';

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** The version wanted; another is `remote-changed`. */
  readonly validator?: string | null | undefined;
}

/**
 * Streams the object to a temporary file beside `targetFile` and renames it there when it is whole and synced; `targetFile` is replaced or left as it was.
 * Returns the stat of the version it got, with its size. Fails with `remote-*`, `interrupted`, `cache-full` or `cache-failed`.
 */
export async function downloadTo(
  remote: Remote,
  path: RemotePath,
  targetFile: string,
  { signal, validator }: DownloadOptions = {},
): Promise<ObjectStat> {
  const temporary = temporaryBeside(targetFile);
  const body = await remote.open(path, { signal, validator });
  try {
    const size = await write(body, temporary);
    if (body.stat.size !== null && size !== body.stat.size) {
      const why = `${size} bytes arrived where ${body.stat.size} were promised`;
      throw new ButlerfsError('remote-failed', { what: `reading ${remote.urlOf(path)}`, why });
    }
    await rename(temporary, targetFile);
    await syncDirectory(dirname(targetFile));
    return { ...body.stat, size };
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof ButlerfsError) throw error;
    const full = systemCodeOf(error) === 'ENOSPC' || systemCodeOf(error) === 'EDQUOT';
    throw new ButlerfsError(full ? 'cache-full' : 'cache-failed', {
      what: `writing ${targetFile}`,
      why: full ? 'no space left on the device' : error instanceof Error ? error.message : String(error),
      advice: full ? `free some space for ${dirname(targetFile)}` : undefined,
      cause: error,
    });
  }
}

async function write(body: RemoteBody, file: string): Promise<number> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'wx', 0o600);
  } catch (error) {
    await discard(body.bytes);
    throw error;
  }
  try {
    let size = 0;
    for await (const chunk of body.bytes) {
      await writeAll(handle, chunk);
      size += chunk.length;
    }
    await handle.sync();
    return size;
  } finally {
    await handle.close();
  }
}
