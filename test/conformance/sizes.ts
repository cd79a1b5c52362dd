/** Bytes: reading, writing, appending, cutting off, holes; and fsx, a long series of such calls beside a model of the file. */

import { expect, it } from 'vitest';
import { describeSubject } from './subject.js';
import { python, type Target } from './target.js';

export function describeSizes(target: Target): void {
  const { holes, allocation } = target.can;
  describeSubject(target, 'bytes and sizes', () => {
    it('what is cut off is gone, and comes back as zeros', async () => {
      const program = python`
        make('file', b'0123456789' * 1000)
        file = os.open('file', os.O_RDWR)
        os.truncate('file', 5)
        seen = [read('file'), os.fstat(file).st_size]
        os.ftruncate(file, 5000)
        content = read('file')
        seen += [content[:5], content[5:] == bytes(4995), os.pread(file, 10, 4998)]
        os.truncate('file', 0)
        os.truncate('file', 8)
        show(seen=seen, zeros=read('file'), size=os.stat('file').st_size,
             refused=[outcome(os.truncate, 'file', -1), outcome(os.truncate, '.', 0), outcome(os.truncate, 'none', 0), outcome(os.truncate, 'file/', 0), outcome(os.ftruncate, file, -1), outcome(os.truncate, 'file', 2**63 - 1)])
      `;
      expect(await target.run(program)).toEqual({
        seen: ['01234', 5, '01234', true, '\0\0'],
        zeros: '\0'.repeat(8),
        size: 8,
        refused: ['EINVAL', 'EISDIR', 'ENOENT', 'ENOTDIR', 'EINVAL', 'EFBIG'],
      });
    });

    it('a file is read to its end and not beyond', async () => {
      const program = python`
        make('file', b'x' * 5000)
        file = os.open('file', os.O_RDWR)
        seen = [len(os.pread(file, 100, 4990)), len(os.pread(file, 100, 5000)), len(os.pread(file, 100, 2**40)), len(os.pread(file, 0, 0)), len(os.read(file, 10**6))]
        os.pwrite(file, b'y', 9000)
        show(seen=seen, more=[len(os.read(file, 10**6)), os.pread(file, 10, 8998), os.fstat(file).st_size], whence=[os.lseek(file, -1, os.SEEK_END), outcome(os.lseek, file, -1, os.SEEK_SET), outcome(os.lseek, file, 0, 99)])
      `;
      expect(await target.run(program)).toEqual({
        seen: [10, 0, 0, 0, 5000],
        more: [4001, '\0\0y', 9001],
        whence: [9000, 'EINVAL', 'EINVAL'],
      });
    });

    it('every way of writing arrives, at any offset and size', async () => {
      const program = python`
        blocks = bytes(range(256)) * 1200
        file = os.open('file', os.O_CREAT | os.O_RDWR)
        model = bytearray()
        for offset, size in ((0, 1), (1, 4095), (4095, 2), (100, 300000), (131071, 131074), (299999, 3), (300000, 4096), (123, 0)):
            os.pwrite(file, blocks[:size], offset)
            model[offset:offset + size] = blocks[:size]
        os.lseek(file, 10, os.SEEK_SET)
        os.writev(file, [b'abc', b'', blocks[:5000]])
        model[10:5013] = b'abc' + blocks[:5000]
        parts = [bytearray(1000), bytearray(7), bytearray(4000)]
        os.preadv(file, parts, 5)
        source, sink = os.pipe()
        os.write(sink, b'through a pipe')
        os.splice(source, file, 14, offset_dst=50) if hasattr(os, 'splice') else os.pwrite(file, os.read(source, 14), 50)
        model[50:64] = b'through a pipe'
        show(same=[read('file') == model, read(os.path.join(behind, 'file')) == model], parts=b''.join(parts[:1]) == bytes(model[5:50] + (b'' if False else blocks[37:37 + 955])), size=os.fstat(file).st_size)
      `;
      expect(await target.run(program)).toEqual({ same: [true, true], parts: true, size: 304096 });
    });

    it('O_APPEND writes at the end, wherever the position is', async () => {
      const program = python`
        make('file', b'start ')
        one, two, other = (os.open('file', os.O_RDWR | flags) for flags in (os.O_APPEND, os.O_APPEND, 0))
        os.write(one, b'one ')
        os.lseek(two, 0, os.SEEK_SET)
        os.write(two, b'two ')
        os.write(other, b'START')
        os.pwrite(one, b'end', 0)
        seen = read('file')
        os.ftruncate(other, 3)
        os.write(one, b'!')
        show(seen=seen, position=os.lseek(two, 0, os.SEEK_CUR), after=read('file'))
        fcntl.fcntl(other, fcntl.F_SETFL, os.O_APPEND)
        os.write(other, b'?')
        show(turned=read('file'))
      `;
      expect(await target.run(program)).toEqual({ seen: 'START one two end', position: 14, after: 'STA!', turned: 'STA!?' });
    });

    it('two descriptors see each other at once', async () => {
      const program = python`
        make('file', b'a' * 10000)
        writer, reader = os.open('file', os.O_WRONLY), os.open('file', os.O_RDONLY)
        seen = []
        for number in range(50):
            os.pwrite(writer, b'%d' % number, number * 100)
            seen.append(os.pread(reader, 2, number * 100).startswith(b'%d' % number))
            os.pwrite(writer, b'end', 10000 + number)
            seen.append(os.fstat(reader).st_size == 10003 + number == os.stat('file').st_size)
        def other(process):
            process.hear()
            return os.pread(reader, 6, 0)
        process = Process(other)
        os.pwrite(writer, b'shared', 0)
        process.say('written')
        show(seen=all(seen), other=process.result())
      `;
      expect(await target.run(program)).toEqual({ seen: true, other: 'shared' });
    });

    it('a hole takes no room and reads as zeros, beyond 4 GiB, too', async () => {
      const program = python`
        far = 5 * 2**30 + 3
        file = os.open('file', os.O_CREAT | os.O_RDWR)
        os.pwrite(file, b'far', far)
        status = os.stat('file')
        show(size=status.st_size - far, small=status.st_blocks * 512 < 2**20, zeros=os.pread(file, 4096, 2**32 - 10) == bytes(4096), far=os.pread(file, 9, far - 1), beyond=os.pread(file, 9, far + 3))
        os.unlink('file')
      `;
      expect(await target.run(program)).toEqual({ size: 3, small: true, zeros: true, far: '\0far', beyond: '' });
    });

    it('SEEK_DATA and SEEK_HOLE find data and holes', async () => {
      const program = python`
        file = os.open('file', os.O_CREAT | os.O_RDWR)
        block = 64 * 1024
        for number in (1, 2, 5):
            os.pwrite(file, b'd' * block, number * block)
        os.ftruncate(file, 8 * block)
        os.fsync(file)
        find = lambda offset, whence: outcome(lambda: os.lseek(file, offset, whence) / block)
        show(
            data=[find(offset, SEEK_DATA) for offset in (0, block, block + 1, 3 * block, 5 * block)],
            no_data=find(6 * block, SEEK_DATA),
            holes=[find(offset, SEEK_HOLE) for offset in (0, block, 2 * block, 5 * block, 7 * block)],
            beyond=[find(8 * block, SEEK_DATA), find(8 * block, SEEK_HOLE), find(9 * block, SEEK_HOLE)],
        )
        empty = os.open('empty', os.O_CREAT | os.O_RDWR)
        show(empty=[outcome(os.lseek, empty, 0, SEEK_DATA), outcome(os.lseek, empty, 0, SEEK_HOLE)])
      `;
      expect(await target.run(program)).toEqual(
        holes
          ? {
              data: [1, 1, 1 + 1 / 65536, 5, 5],
              no_data: 'ENXIO',
              holes: [0, 3, 3, 6, 7],
              beyond: ['ENXIO', 'ENXIO', 'ENXIO'],
              empty: ['ENXIO', 'ENXIO'],
            }
          : // All is data, up to the hole that is behind the end.
            {
              data: [0, 1, 1 + 1 / 65536, 3, 5],
              no_data: 6,
              holes: [8, 8, 8, 8, 8],
              beyond: ['ENXIO', 'ENXIO', 'ENXIO'],
              empty: ['ENXIO', 'ENXIO'],
            },
      );
    });

    it('the limit of a process on the size of files is kept', async () => {
      const program = python`
        make('file', b'')
        def work():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
            file = os.open('file', os.O_RDWR)
            return [os.pwrite(file, b'x' * 20000, 0), outcome(os.pwrite, file, b'x', 10000), outcome(os.ftruncate, file, 10001), outcome(os.ftruncate, file, 9999)]
        def hit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            os.truncate('file', 20000)
        show(work=Process(lambda _: work()).result(), signal=signal_of(hit), size=os.stat('file').st_size)
      `;
      expect(await target.run(program)).toEqual({ work: [10000, 'EFBIG', 'EFBIG', 'ok'], signal: 'SIGXFSZ', size: 9999 });
    });

    it.each([1, 2])('a long series of calls leaves what a model of the file says (%i)', async (seed) => {
      const program = python`
        chance = random.Random(${seed})
        LARGEST = 300_000
        file, second = os.open('file', os.O_CREAT | os.O_RDWR), os.open('file', os.O_RDWR)
        model = bytearray()
        done = []
        def put(offset, data):
            if offset > len(model):
                model.extend(bytes(offset - len(model)))
            model[offset:offset + len(data)] = data
        def resize(size):
            del model[size:]
            model.extend(bytes(size - len(model)))
        for step in range(400):
            offset, length = chance.randrange(LARGEST), chance.choice((1, 100, 4096, 5000, 70000, 140000))
            data = bytes([chance.randrange(1, 256)]) * length
            kind = chance.choice(('write', 'write', 'read', 'second', 'truncate', 'mapped write', 'mapped read', 'punch', 'zero', 'allocate', 'copy', 'append', 'reopen', 'sync'))
            done.append([kind, offset, length])
            if kind == 'write':
                os.pwrite(file, data, offset)
                put(offset, data)
            elif kind == 'append':
                if len(model) + length < 2 * LARGEST:
                    appending = os.open('file', os.O_WRONLY | os.O_APPEND)
                    os.write(appending, data)
                    os.close(appending)
                    put(len(model), data)
            elif kind == 'truncate':
                os.ftruncate(file, offset)
                resize(offset)
            elif kind in ('mapped write', 'mapped read') and len(model) > 0:
                view = mmap.mmap(second, len(model))
                start = offset % len(model)
                if kind == 'mapped write':
                    part = data[:len(model) - start]
                    view[start:start + len(part)] = part
                    put(start, part)
                    if chance.random() < 0.5:
                        view.flush()
                assert view[start:start + length] == model[start:start + length], done[-5:]
                view.close()
            elif kind == 'punch' and can['allocation']:
                fallocate(second, PUNCH_HOLE | KEEP_SIZE, offset, length)
                end = min(offset + length, len(model))
                if end > offset:
                    model[offset:end] = bytes(end - offset)
            elif kind == 'zero' and can['allocation']:
                fallocate(file, ZERO_RANGE, offset, length)
                put(offset, bytes(length))
            elif kind == 'allocate' and can['allocation']:
                fallocate(file, 0, offset, length)
                resize(max(len(model), offset + length))
            elif kind == 'copy':
                target = offset + length + chance.randrange(1000)
                length = max(0, min(length, len(model) - offset))
                copied = 0
                while copied < length:
                    got = os.copy_file_range(file, second, length - copied, offset + copied, target + copied)
                    if got == 0:
                        break
                    copied += got
                if length > 0:
                    put(target, bytes(model[offset:offset + length]))
            elif kind == 'reopen':
                os.close(second)
                second = os.open('file', os.O_RDWR)
            elif kind == 'sync':
                os.fsync(file)
            descriptor = second if kind == 'second' else file
            assert os.pread(descriptor, length, offset) == model[offset:offset + length], done[-5:]
            assert os.fstat(descriptor).st_size == len(model), done[-5:]
        show(same=[read('file') == model, read(os.path.join(behind, 'file')) == model], steps=len(done), varied=len({kind for kind, *_ in done}))
      `;
      expect(await target.run(program)).toEqual({ same: [true, true], steps: 400, varied: 13 });
    });

    it(allocation ? 'fallocate makes room, holes and zeros' : 'fallocate is refused', async () => {
      const program = python`
        make('file', b'x' * 100000)
        file = os.open('file', os.O_RDWR)
        blocks = lambda: os.fstat(file).st_blocks * 512
        steps = []
        def step(*arguments):
            steps.append([outcome(fallocate, file, *arguments), os.fstat(file).st_size])
        step(0, 0, 200000)
        step(KEEP_SIZE, 200000, 800000)
        large = blocks()
        step(PUNCH_HOLE | KEEP_SIZE, 4096, 40960)
        show(room=large >= 1000000, freed=large - blocks(), content=[os.pread(file, 3, 4095), os.pread(file, 3, 45055)])
        step(ZERO_RANGE, 90000, 5000)
        step(ZERO_RANGE | KEEP_SIZE, 190000, 50000)
        step(ZERO_RANGE, 190000, 50000)
        show(zeroed=os.pread(file, 5002, 89999) == b'x' + bytes(5000) + b'x')
        for flags, offset, length in ((0, 0, 0), (0, -1, 10), (0, 0, -1), (PUNCH_HOLE, 0, 10), (COLLAPSE_RANGE, 0, 4096), (INSERT_RANGE, 0, 4096), (0, 2**63 - 1, 2**63 - 1)):
            step(flags, offset, length)
        reading = os.open('file', os.O_RDONLY)
        show(steps=steps, reading=outcome(fallocate, reading, 0, 0, 10), posix=outcome(os.posix_fallocate, file, 0, 300000), size=os.fstat(file).st_size)
      `;
      const shown = (await target.run(program)) as { steps: [unknown, number][]; reading: unknown; posix: unknown; size: number };
      if (allocation) {
        expect(shown).toMatchObject({
          room: true,
          freed: 40960,
          content: ['x\0\0', '\0xx'],
          zeroed: true,
          reading: 'EBADF',
        });
        expect(shown.steps.slice(0, 6)).toEqual([
          [0, 200000],
          [0, 200000],
          [0, 200000],
          [0, 200000],
          [0, 200000],
          [0, 240000],
        ]);
      } else expect(shown.steps.slice(0, 6)).toEqual(Array(6).fill(['EOPNOTSUPP', 100000]));
      expect(shown.steps.slice(6, 9).map(([result]) => result)).toEqual(['EINVAL', 'EINVAL', 'EINVAL']);
      expect([shown.posix, shown.size]).toEqual(['ok', 300000]);
      // Moving the rest of a file is no part of FUSE.
      if (target.isMounted) expect(shown.steps.slice(10, 12).map(([result]) => result)).toEqual(['EOPNOTSUPP', 'EOPNOTSUPP']);
    });

    it('copy_file_range copies within a file system, and refuses what makes no sense', async () => {
      const program = python`
        make('from', bytes(range(256)) * 1000)
        make('to', b'')
        source, sink = os.open('from', os.O_RDWR), os.open('to', os.O_RDWR)
        copied = 0
        while copied < 256000 and (got := os.copy_file_range(source, sink, 256000 - copied)) > 0:
            copied += got
        show(copied=copied, same=read('to') == read('from'), positions=[os.lseek(source, 0, os.SEEK_CUR), os.lseek(sink, 0, os.SEEK_CUR)],
             end=os.copy_file_range(source, sink, 100), short=os.copy_file_range(source, sink, 1000, 255990, 0), inside=os.copy_file_range(source, source, 100, 0, 1000),
             moved=os.pread(source, 100, 1000) == bytes(range(100)))
        appending, reading, writing, directory = os.open('to', os.O_WRONLY | os.O_APPEND), os.open('to', os.O_RDONLY), os.open('from', os.O_WRONLY), os.open('.', os.O_RDONLY)
        show(refused=[outcome(os.copy_file_range, *arguments) for arguments in ((source, source, 1000, 0, 500), (source, appending, 10), (source, reading, 10), (writing, sink, 10), (directory, sink, 10))],
             sent=[os.sendfile(sink, source, 0, 5000) , os.lseek(sink, 0, os.SEEK_CUR)])
      `;
      expect(await target.run(program)).toEqual({
        copied: 256000,
        same: true,
        positions: [256000, 256000],
        end: 0,
        short: 10,
        inside: 100,
        moved: true,
        refused: ['EINVAL', 'EBADF', 'EBADF', 'EBADF', 'EISDIR'],
        sent: [5000, 261000],
      });
    });
  });
}
