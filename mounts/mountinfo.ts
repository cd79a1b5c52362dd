/** What the kernel says is mounted: proc_pid_mountinfo(5). */

import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

export interface MountInfo {
  /** Decoded. */
  readonly mountPoint: string;
  /** `fuse.butlerfs`, `ext4`. */
  readonly type: string;
  /** Decoded; as the one who mounted it named it. */
  readonly source: string;
  /** Minor device number: names the connection in /sys/fs/fuse/connections. */
  readonly minor: number;
}

/** Mounts in the order in which they were made: of several on one mount point, the last is the one that is seen. */
export async function readMountInfo(): Promise<MountInfo[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo'));
}

/** Parses the file's bytes; a line that is not understood is left out. */
export function parseMountInfo(content: Buffer): MountInfo[] {
  // Latin-1 keeps each byte a character, so that names which are no UTF-8 and escapes are put together as bytes.
  return content.toString('latin1').split('\n').flatMap(parseLine);
}

function parseLine(line: string): MountInfo[] {
  const fields = line.split(' ');
  // Optional fields of any number end at a single hyphen.
  const separator = fields.indexOf('-', 6);
  const [, , device, , mountPoint] = fields;
  const [type, source] = separator < 0 ? [] : fields.slice(separator + 1);
  const minor = /^\d+:(\d+)$/.exec(device ?? '')?.[1];
  if (mountPoint === undefined || type === undefined || source === undefined || minor === undefined) return [];
  return [{ mountPoint: unescape(mountPoint), type: unescape(type), source: unescape(source), minor: Number(minor) }];
}

/** Space, tab, newline, backslash and hash are written as three octal digits. */
function unescape(text: string): string {
  const bytes = text.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** The file system type under which mounts of butlerfs appear. */
export const MOUNT_TYPE = 'fuse.butlerfs';

/**
 * The form of a mount point that the kernel shows: absolute, without symbolic links. What is mounted there is not touched, since it may hang; a path
 * that does not exist comes back as it is.
 */
export async function canonicalMountPoint(path: string): Promise<string> {
  const absolute = resolve(path);
  if (absolute === '/') return absolute;
  const parent = await realpath(dirname(absolute)).catch(() => dirname(absolute));
  const candidate = join(parent, basename(absolute));
  if ((await readMountInfo()).some(({ mountPoint }) => mountPoint === candidate)) return candidate;
  return await realpath(candidate).catch(() => candidate);
}
