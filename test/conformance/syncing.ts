/** What reaches the disk, and when: fsync(2) and its kin, O_SYNC, O_DIRECT; and the whole file system: statfs(2). */

import { expect, it } from 'vitest';
import { describeSubject } from './subject.js';
import { python, type Target } from './target.js';

export function describeSyncing(target: Target): void {
  describeSubject(target, 'syncing', () => {
    it('everything can be synced, read-only descriptors and directories, too', async () => {
      const program = python`
        make('file', b'content')
        os.mkdir('directory')
        os.symlink('file', 'link')
        writing, reading, directory = os.open('file', os.O_RDWR), os.open('file', os.O_RDONLY), os.open('directory', os.O_RDONLY)
        os.write(writing, b'CONTENT')
        show(synced=[outcome(call, descriptor) for call in (os.fsync, os.fdatasync, lambda file: system('syncfs', file)) for descriptor in (writing, reading, directory)],
             range=[outcome(system, 'sync_file_range', writing, 0, 0, 7), outcome(os.posix_fadvise, writing, 0, 0, os.POSIX_FADV_DONTNEED), outcome(system, 'readahead', reading, 0, 100)],
             path=outcome(os.fsync, os.open('file', os.O_PATH)), content=read('file'))
        os.mkfifo('fifo')
        show(fifo=outcome(os.fsync, os.open('fifo', os.O_RDWR)))
        os.unlink('fifo')
      `;
      expect(await target.run(program)).toEqual({
        synced: ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 0, 0, 0],
        range: [0, 'ok', 0],
        path: 'EBADF',
        content: 'CONTENT',
        fifo: 'EINVAL',
      });
    });

    it('what was written is behind at once, with O_SYNC, O_DSYNC or neither', async () => {
      const program = python`
        seen = []
        for name, flags in (('plain', 0), ('sync', os.O_SYNC), ('dsync', os.O_DSYNC)):
            file = os.open(name, os.O_CREAT | os.O_RDWR | flags)
            os.write(file, b'written' * 1000)
            seen.append(read(os.path.join(behind, name)) == b'written' * 1000)
            os.pwrite(file, b'!', 20000)
            seen.append(os.stat(os.path.join(behind, name)).st_size)
        show(seen=seen)
      `;
      expect(await target.run(program)).toEqual({ seen: [true, 20001, true, 20001, true, 20001] });
    });

    it('O_DIRECT reads and writes past the page cache, and agrees with those who do not', async () => {
      const program = python`
        block = mmap.mmap(-1, 8192)
        block[:] = bytes(range(256)) * 32
        direct = os.open('file', os.O_CREAT | os.O_RDWR | os.O_DIRECT)
        written = os.pwritev(direct, [block], 0)
        plain = os.open('file', os.O_RDWR)
        first = os.pread(plain, 8192, 0) == block[:]
        os.pwrite(plain, b'buffered', 4096)
        back = mmap.mmap(-1, 4096)
        got = os.preadv(direct, [back], 4096)
        block[0:6] = b'direct'
        os.pwritev(direct, [memoryview(block)[:4096]], 0)
        second = os.pread(plain, 6, 0)
        view = mmap.mmap(plain, 8192)
        os.pwritev(direct, [memoryview(block)[:4096]], 4096)
        show(written=written, first=first, got=[got, back[:8]], second=second, mapped=view[4096:4102], end=os.preadv(direct, [back], 8192), size=os.fstat(direct).st_size)
      `;
      expect(await target.run(program)).toEqual({
        written: 8192,
        first: true,
        got: [4096, 'buffered'],
        second: 'direct',
        mapped: 'direct',
        end: 0,
        size: 8192,
      });
    });

    it('the file system is as large and as full as the one behind', async () => {
      const program = python`
        def numbers(path):
            found = os.statvfs(path)
            # As numbers of bytes: units may differ.
            return [found.f_blocks * found.f_frsize, found.f_bfree * found.f_frsize, found.f_bavail * found.f_frsize, found.f_files, found.f_ffree, found.f_namemax]
        make('file', b'x' * 100000)
        os.sync()
        # Others write on the same disk: one look in many is of the same moment.
        show(same=any(numbers('.') == numbers(behind) == numbers('file') for _ in range(200)), names=os.statvfs('.').f_namemax, open=os.fstatvfs(os.open('file', os.O_RDONLY)).f_files == os.statvfs('.').f_files)
      `;
      expect(await target.run(program)).toEqual({ same: true, names: 255, open: true });
    });
  });
}
