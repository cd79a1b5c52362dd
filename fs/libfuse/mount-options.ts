/** Mount options as libfuse 2 takes them. */

import { LONGEST_ARGUMENT } from './binding.js';

/** For how long the kernel may go by what it was told, in seconds: with libfuse the same for the whole file system, and it cannot be told that it is over. */
export interface KernelMemory {
  /** That a name leads to a file. */
  readonly nameSeconds: number;
  /** That a name leads to none. */
  readonly absenceSeconds: number;
  readonly attributeSeconds: number;
}

export interface MountOptionSettings extends KernelMemory {
  readonly name: string;
  readonly allowOther: boolean;
  readonly readOnly: boolean;
  readonly trusted?: boolean;
}

/** One argument of libfuse. A name that it has no room for is cut off. */
export function mountOptionText(settings: MountOptionSettings): string {
  const { name, allowOther, readOnly, trusted = false } = settings;
  const options = [
    readOnly ? 'ro' : 'rw',
    ...(trusted ? ['suid', 'dev'] : ['nosuid', 'nodev']),
    'noatime',
    'default_permissions',
    ...(allowOther ? ['allow_other'] : []),
    'subtype=butlerfs',
    // The numbers of the file system instead of libfuse's own: two links of one file then have one number.
    'use_ino',
    'big_writes',
    // Pages are kept from one open to the next where time and size have not changed.
    'auto_cache',
    `entry_timeout=${settings.nameSeconds}`,
    `negative_timeout=${settings.absenceSeconds}`,
    `attr_timeout=${settings.attributeSeconds}`,
  ];
  // fusermount of libfuse 3 does not know the option; it does not look either.
  if (process.getuid?.() === 0) options.push('nonempty');
  const start = `-o${options.join(',')},fsname=`;
  let shown = '';
  for (const character of name) {
    const next = shown + (character === ',' || character === '\\' ? `\\${character}` : character);
    if (Buffer.byteLength(start) + Buffer.byteLength(next) >= LONGEST_ARGUMENT) break;
    shown = next;
  }
  return start + shown;
}
