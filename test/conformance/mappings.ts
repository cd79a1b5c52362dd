/** Files in memory: mmap(2), beside read(2) and write(2). */

import { expect, it } from 'vitest';
import { anyArray, describeSubject } from './subject.js';
import { python, type Target } from './target.js';

export function describeMappings(target: Target): void {
  describeSubject(target, 'mappings', () => {
    it('a shared mapping and read and write see each other at once', async () => {
      const program = python`
        make('file', b'.' * 20000)
        file, other = os.open('file', os.O_RDWR), os.open('file', os.O_RDWR)
        view = mmap.mmap(file, 20000)
        seen = [view[0:3]]
        os.pwrite(other, b'written', 100)
        seen.append(view[100:107])
        view[5000:5006] = b'mapped'
        seen.append(os.pread(other, 6, 5000))
        view[19999:20000] = b'!'
        seen.append(read('file')[-1:])
        second = mmap.mmap(other, 20000)
        second[7:8] = b'7'
        seen.append(view[6:9])
        view.flush()
        view.close()
        second.close()
        show(seen=seen, real=read(os.path.join(behind, 'file')) == read('file'))
      `;
      expect(await target.run(program)).toEqual({ seen: ['...', 'written', 'mapped', '!', '.7.'], real: true });
    });

    it('what is written to a mapping is behind once it is synced, or unmapped and closed', async () => {
      const program = python`
        real = lambda name: read(os.path.join(behind, name))
        for name in 'abc':
            make(name, b'.' * 5000)
        views = {}
        for name in 'abc':
            file = os.open(name, os.O_RDWR)
            views[name] = mmap.mmap(file, 5000)
            views[name][4000:4004] = b'here'
            if name == 'b':
                os.fsync(file)
            os.close(file)
        views['a'].flush()
        synced = [real(name)[4000:4004] for name in 'ab']
        for view in views.values():
            view.close()
        os.sync()
        show(synced=synced, closed=real('c')[4000:4004])
      `;
      expect(await target.run(program)).toEqual({ synced: ['here', 'here'], closed: 'here' });
    });

    it('a private mapping keeps its changes for itself', async () => {
      const program = python`
        make('file', b'.' * 5000)
        file = os.open('file', os.O_RDONLY)
        view = mmap.mmap(file, 5000, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
        view[0:4] = b'mine'
        with open('file', 'r+b') as writer:
            writer.seek(4500)
            writer.write(b'theirs')
        show(mine=view[0:4], file=read('file')[:4], theirs=view[4500:4506] in (b'theirs', b'......'), refused=outcome(mmap.mmap, file, 5000))
      `;
      expect(await target.run(program)).toEqual({ mine: 'mine', file: '....', theirs: true, refused: 'EACCES' });
    });

    it('processes share a mapping', async () => {
      const program = python`
        make('file', bytes(4096))
        file = os.open('file', os.O_RDWR)
        view = mmap.mmap(file, 4096)
        def count(process):
            own = mmap.mmap(os.open('file', os.O_RDWR), 4096)
            own[process.hear()] = 1
            return 'ok'
        processes = [Process(count) for _ in range(4)]
        for number, process in enumerate(processes):
            process.say(number)
        results = [process.result() for process in processes]
        show(sum=sum(view[0:4]), results=set(results))
      `;
      expect(await target.run(program)).toEqual({ sum: 4, results: ['ok'] });
    });

    it('beyond the last page is SIGBUS; a longer file is there, a shorter one gone', async () => {
      const program = python`
        make('file', b'.' * 100)
        file = os.open('file', os.O_RDWR)
        view = mmap.mmap(file, 100)
        tail = mmap.mmap(file, 0)
        os.ftruncate(file, 3 * 4096)
        wide = mmap.mmap(file, 3 * 4096)
        os.pwrite(file, b'end', 3 * 4096 - 3)
        seen = wide[-3:]
        os.ftruncate(file, 4096)
        show(seen=seen, gone=signal_of(lambda: wide[2 * 4096]), written=signal_of(lambda: wide.__setitem__(2 * 4096, 1)), kept=wide[0:2])
        os.ftruncate(file, 3 * 4096)
        show(zero=wide[-3:])
      `;
      expect(await target.run(program)).toEqual({ seen: 'end', gone: 'SIGBUS', written: 'SIGBUS', kept: '..', zero: '\0\0\0' });
    });

    it('a mapping outlives its descriptor and its name', async () => {
      const program = python`
        make('file', b'content')
        file = os.open('file', os.O_RDWR)
        view = mmap.mmap(file, 7)
        os.close(file)
        os.unlink('file')
        view[0:1] = b'C'
        view.flush()
        show(content=view[:], listed=os.listdir('.'))
      `;
      const hidden = target.can.inodes ? [] : anyArray;
      expect(await target.run(program)).toEqual({ content: 'Content', listed: hidden });
    });

    it('a mapped part past the end of the file is not written', async () => {
      const program = python`
        make('file', b'x' * 100)
        file = os.open('file', os.O_RDWR)
        libc.mmap.restype = ctypes.c_void_p
        address = libc.mmap(None, ctypes.c_long(4096), 3, 1, file, ctypes.c_long(0))
        ctypes.memset(address + 90, ord('y'), 200)
        libc.msync(ctypes.c_void_p(address), ctypes.c_long(4096), 4)
        os.ftruncate(file, 300)
        show(content=read('file')[88:] == b'xx' + b'y' * 10 + bytes(200))
      `;
      expect(await target.run(program)).toEqual({ content: true });
    });
  });
}
