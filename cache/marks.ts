/**
 * What an object says of itself beside its content: extended attributes of its file. They are hints. Where the file system keeps none, nothing is marked, and a
 * mount's quota counts only what it brought since it was mounted.
 */

import { createRequire } from 'node:module';

/** The mount that brought it, by its name. */
const MOUNT = 'user.butlerfs.mount';
/** The URL it was fetched from first, with the member after `#zip-path=`. */
const ORIGIN = 'user.butlerfs.origin';
const LONGEST = 4096;

export interface Marks {
  readonly mount?: string | undefined;
  readonly origin?: string | undefined;
}

interface Calls {
  set(fd: number, name: string, value: Buffer, size: number, flags: number): number;
  get(path: string, name: string, into: Buffer, size: number): number;
}

let calls: Calls | null | undefined;

/** Null where koffi cannot be loaded. */
function libc(): Calls | null {
  if (calls === undefined) calls = load();
  return calls;
}

function load(): Calls | null {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load(null);
    return {
      set: library.func('int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)'),
      get: library.func('long getxattr(const char *path, const char *name, void *value, size_t size)'),
    };
  } catch {
    return null;
  }
}

const buffer = Buffer.alloc(LONGEST);

/** Marks an open file, as far as its file system allows. */
export function mark(fd: number, { mount, origin }: Marks): void {
  for (const [name, text] of [
    [MOUNT, mount],
    [ORIGIN, origin],
  ] as const) {
    if (text === undefined) continue;
    const value = Buffer.from(text);
    if (value.length <= LONGEST) libc()?.set(fd, name, value, value.length, 0);
  }
}

/** The mount that brought the file; undefined where it says nothing. */
export function mountMark(path: string): string | undefined {
  return read(path, MOUNT);
}

/** Where the file came from; undefined where it says nothing. */
export function originMark(path: string): string | undefined {
  return read(path, ORIGIN);
}

function read(path: string, name: string): string | undefined {
  const length = libc()?.get(path, name, buffer, LONGEST) ?? -1;
  return length < 0 ? undefined : buffer.toString('utf8', 0, length);
}
