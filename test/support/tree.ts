/** Looks at a mounted tree from outside. */

import { createHash } from 'node:crypto';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runSuccessfully } from './run.js';

/** A data ID as directory names: `['tract=8766', 'patch=42']`. Values are encoded as docs/paths.md says. */
export function dataIdPath(dataId: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(dataId).map(([key, value]) => `${key}=${encodeValue(String(value))}`);
}

/** A value or a collection's name as one component of a path. */
export function encodeValue(value: string): string {
  return value.replaceAll('%', '%25').replaceAll('/', '%2F').replace(/^@/, '%40').replace(/^\./, '%2E');
}

/** The file of a dataset on a mount: the only one in its leaf. */
export async function fileOf(
  { path }: { readonly path: string },
  { type, dataId }: { readonly type: string; readonly dataId: Readonly<Record<string, string | number>> },
): Promise<string> {
  const leaf = join(path, type, ...dataIdPath(dataId));
  const [name] = await readdir(leaf);
  return join(leaf, name!);
}

/** Every regular file below `directory`, sorted; names as listed, nothing followed or guessed. */
export async function filesBelow(directory: string): Promise<string[]> {
  const files: string[] = [];
  const waiting = [directory];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const entry of await readdir(next, { withFileTypes: true })) {
      (entry.isDirectory() ? waiting : files).push(join(next, entry.name));
    }
  }
  return files.sort();
}

/** SHA-256 of a file's bytes, in hex. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path);
  try {
    for await (const chunk of file.createReadStream({ autoClose: false })) hash.update(chunk as Buffer);
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/** The code of the error that a file system call fails with; `none` where it succeeds. */
export async function errorCode(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** The `user.butler.*` attributes of files, names without that prefix, as getfattr(1) reads them. */
export async function butlerAttributes(files: readonly string[]): Promise<Map<string, Record<string, string>>> {
  const all = new Map<string, Record<string, string>>();
  for (let start = 0; start < files.length; start += 500) {
    const chosen = files.slice(start, start + 500);
    const output = await runSuccessfully('getfattr', [
      '-h',
      '-d',
      '-m',
      '^user\\.butler\\.',
      '-e',
      'hex',
      '--absolute-names',
      '--',
      ...chosen,
    ]);
    // One block to a file, in the order asked for: file names in the output are escaped, so the order is what counts.
    output
      .split('\n\n')
      .filter((block) => block.trim() !== '')
      .forEach((block, index) => {
        const pairs = [...block.matchAll(/^user\.butler\.([^=]+)=0x([0-9a-f]*)$/gm)];
        all.set(chosen[index]!, Object.fromEntries(pairs.map(([, name, hex]) => [name!, Buffer.from(hex!, 'hex').toString()])));
      });
  }
  return all;
}
