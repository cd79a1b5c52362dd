/** File types as the upper bits of st_mode (inode(7)). Shifted right by 12 they are the types of directory entries. */

export const FileType = {
  FIFO: 0o010000,
  CHARACTER_DEVICE: 0o020000,
  DIRECTORY: 0o040000,
  BLOCK_DEVICE: 0o060000,
  REGULAR: 0o100000,
  SYMLINK: 0o120000,
  SOCKET: 0o140000,
} as const;

const TYPE_MASK = 0o170000;

export function fileTypeOf(mode: number): number {
  return mode & TYPE_MASK;
}

export function isDirectoryMode(mode: number): boolean {
  return (mode & TYPE_MASK) === FileType.DIRECTORY;
}

export function isRegularMode(mode: number): boolean {
  return (mode & TYPE_MASK) === FileType.REGULAR;
}
