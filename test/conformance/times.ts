/** Times: how fine they are, how far they reach, and what changes them. */

import { expect, it } from 'vitest';
import { anyBoolean, describeSubject } from './subject.js';
import { python, type Target } from './target.js';

export function describeTimes(target: Target): void {
  const { exactTimes, birthTime, otherUsers } = target.can;
  /** What is kept of a number of nanoseconds. */
  const kept = (time: bigint): string => {
    if (exactTimes) return `${time}`;
    return `${time < 0n ? 0n : time / 1_000_000_000n}`;
  };

  describeSubject(target, 'times', () => {
    it('are kept to the nanosecond, before 1970 and after 2106', async () => {
      const moments = [0n, 1n, 1_234_567_890_123_456_789n, -1n, -1_500_000_000n, -2_147_483_648_000_000_000n];
      moments.push(2_147_483_648_000_000_001n, 4_294_967_296_000_000_002n, 9_000_000_000_123_456_789n);
      const program = python`
        moments = [${moments.join(', ')}]
        os.mkdir('d')
        os.mkfifo('p')
        make('f')
        os.symlink('f', 'l')
        unit = 1 if can['exactTimes'] else 10**9
        seen = []
        for name in 'fdpl':
            for moment in moments:
                os.utime(name, ns=(moment, moments[-1] - moment), follow_symlinks=False)
                status = os.lstat(name)
                real = os.lstat(os.path.join(behind, name))
                seen.append([str(status.st_mtime_ns // unit), str(status.st_atime_ns // unit), status.st_mtime_ns // unit == real.st_mtime_ns // unit])
        show(seen=seen)
      `;
      const last = moments.at(-1)!;
      const expected = moments.map((moment) => [kept(last - moment), kept(moment), true]);
      const shown = (await target.run(program)) as { seen: unknown[] };
      expect(shown.seen).toEqual([...expected, ...expected, ...expected, ...expected]);
    });

    it('UTIME_OMIT leaves one time, UTIME_NOW is now, other nanoseconds are EINVAL', async () => {
      const program = python`
        make('file')
        past = (1000, 0)
        seen = []
        for accessed, modified in (((0, UTIME_OMIT), past), (past, (0, UTIME_OMIT)), ((0, UTIME_OMIT), (0, UTIME_OMIT)), ((0, UTIME_NOW), (0, UTIME_OMIT)), ((0, UTIME_OMIT), (0, UTIME_NOW))):
            set_times('file', (5000, 0), (6000, 0))
            set_times('file', accessed, modified)
            status = os.stat('file')
            seen.append(['now' if abs(moment - time.time()) < 60 else int(moment) for moment in (status.st_atime, status.st_mtime)])
        set_times('file', (0, UTIME_NOW), (0, UTIME_NOW))
        status = os.stat('file')
        show(seen=seen, same=abs(status.st_atime_ns - status.st_mtime_ns) < 10**9, wrong=[outcome(set_times, 'file', (0, 10**9), past), outcome(set_times, 'file', past, (0, -1))],
             missing=outcome(set_times, 'none', past, past))
      `;
      expect(await target.run(program)).toEqual({
        seen: [
          exactTimes ? [5000, 1000] : [5000, 6000],
          exactTimes ? [1000, 6000] : [5000, 6000],
          [5000, 6000],
          exactTimes ? ['now', 6000] : [5000, 6000],
          exactTimes ? [5000, 'now'] : [5000, 6000],
        ],
        same: true,
        wrong: ['EINVAL', 'EINVAL'],
        missing: 'ENOENT',
      });
    });

    it('of a link and of what it leads to are different', async () => {
      const program = python`
        make('file')
        os.symlink('file', 'link')
        os.utime('link', (11, 12))
        os.utime('link', (21, 22), follow_symlinks=False)
        show(file=int(os.stat('file').st_mtime), link=int(os.lstat('link').st_mtime))
      `;
      expect(await target.run(program)).toEqual({ file: 12, link: 22 });
    });

    it('content changes move the time of modification, and only they do', async () => {
      const program = python`
        make('source', b's' * 100)
        def moved(change):
            make('file', b'content')
            file = os.open('file', os.O_RDWR)
            os.utime('file', (1000, 1000))
            change(file)
            times = {int(os.stat('file').st_mtime), int(os.fstat(file).st_mtime), int(os.stat(os.path.join(behind, 'file')).st_mtime)}
            os.close(file)
            return len(times) == 1 and times != {1000}
        def mapped(file):
            view = mmap.mmap(file, 7)
            view[0] = 65
            view.flush()
            view.close()
        show(
            moves=[moved(change) for change in (
                lambda file: os.write(file, b'x'),
                lambda file: os.pwrite(file, b'x', 100),
                lambda file: os.ftruncate(file, 3),
                lambda file: os.ftruncate(file, 7),
                lambda file: os.truncate('file', 3),
                lambda file: os.close(os.open('file', os.O_WRONLY | os.O_TRUNC)),
                lambda file: os.sendfile(file, os.open('source', os.O_RDONLY), 0, 10),
                mapped,
            )],
            stays=[moved(change) for change in (
                lambda file: os.read(file, 10),
                lambda file: os.write(file, b''),
                lambda file: os.fchmod(file, 0o600),
                lambda file: os.link('file', 'second'),
                lambda file: os.rename('file', 'x') or os.rename('x', 'file'),
                lambda file: os.setxattr('file', 'user.x', b'x'),
                lambda file: os.fsync(file),
            )],
        )
      `;
      expect(await target.run(program)).toEqual({ moves: Array<boolean>(8).fill(true), stays: Array<boolean>(7).fill(false) });
    });

    it('every change moves the time of change, and reading does not', async () => {
      const program = python`
        make('file', b'content')
        file = os.open('file', os.O_RDWR)
        def changed(change):
            before = os.stat('file').st_ctime_ns
            time.sleep(0.012)
            change()
            after = os.stat('file').st_ctime_ns
            return after > before and after == os.fstat(file).st_ctime_ns == (os.stat(os.path.join(behind, 'file')).st_ctime_ns if can['exactTimes'] else after)
        show(
            moves=[changed(change) for change in (
                lambda: os.write(file, b'x'),
                lambda: os.ftruncate(file, 2),
                lambda: os.chmod('file', 0o600),
                lambda: os.chown('file', os.getuid(), os.getgid()),
                lambda: os.utime('file', (1, 1)),
                lambda: os.link('file', 'second'),
                lambda: os.unlink('second'),
                lambda: os.rename('file', 'moved') or os.rename('moved', 'file'),
                lambda: os.setxattr('file', 'user.x', b'y'),
                lambda: os.removexattr('file', 'user.x'),
            )],
            stays=[changed(change) for change in (lambda: read('file'), lambda: os.stat('file'), lambda: os.fsync(file), lambda: os.access('file', os.R_OK))],
        )
      `;
      expect(await target.run(program)).toEqual({ moves: Array<boolean>(10).fill(true), stays: Array<boolean>(4).fill(false) });
    });

    it('names that come and go move both times of their directory', async () => {
      const program = python`
        os.mkdir('d')
        make('outside')
        def moved(change):
            os.utime('d', (1000, 1000))
            before = os.stat('d').st_ctime_ns
            time.sleep(0.012)
            change()
            status = os.stat('d')
            return [status.st_mtime > 1000, status.st_ctime_ns > before]
        show(moves=[moved(change) for change in (
            lambda: make('d/file'),
            lambda: os.mkdir('d/inner'),
            lambda: os.symlink('x', 'd/link'),
            lambda: os.mkfifo('d/fifo'),
            lambda: os.link('outside', 'd/outside'),
            lambda: os.rename('d/file', 'd/other'),
            lambda: os.rename('outside', 'd/outside2'),
            lambda: os.unlink('d/link'),
            lambda: os.rmdir('d/inner'),
        )], stays=[moved(change) for change in (lambda: os.listdir('d'), lambda: make('d/other', b'x'), lambda: os.stat('d/fifo'))])
      `;
      expect(await target.run(program)).toEqual({
        moves: Array<boolean[]>(9).fill([true, true]),
        stays: Array<boolean[]>(3).fill([false, false]),
      });
    });

    it('the time of birth is that behind, and nothing changes it', async () => {
      const program = python`
        make('file', b'x')
        os.mkdir('directory')
        first = birth('file')
        time.sleep(0.02)
        make('file', b'y')
        os.utime('file', (1, 1))
        os.chmod('file', 0o600)
        os.rename('file', 'moved')
        real = birth(os.path.join(behind, 'moved'))
        show(known=first is not None, stays=first == birth('moved'), real=real == first, directory=birth('directory') == birth(os.path.join(behind, 'directory')))
      `;
      expect(await target.run(program)).toEqual(
        birthTime
          ? { known: true, stays: true, real: true, directory: true }
          : { known: false, stays: true, real: anyBoolean, directory: anyBoolean },
      );
    });

    if (otherUsers) {
      it('the owner sets any time, one who may write sets now, the others nothing', async () => {
        const program = python`
          os.chmod('.', 0o755)
          for name, bits in (('writable', 0o666), ('readable', 0o644)):
              make(name, b'', bits)
              os.chown(name, 1000, 1000)
          tries = lambda: [[outcome(os.utime, name, (1, 1)), outcome(os.utime, name), outcome(set_times, name, (0, UTIME_OMIT), (0, UTIME_NOW)), outcome(set_times, name, (0, UTIME_OMIT), (0, UTIME_OMIT))]
              for name in ('writable', 'readable')]
          show(owner=as_user(1000, tries), other=as_user(2000, tries))
        `;
        expect(await target.run(program)).toEqual({
          owner: [
            ['ok', 'ok', 0, 0],
            ['ok', 'ok', 0, 0],
          ],
          other: [
            ['EPERM', 'ok', 'EPERM', 0],
            ['EPERM', 'EACCES', 'EPERM', 0],
          ],
        });
      });
    }
  });
}
