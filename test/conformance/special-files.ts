/** FIFOs, sockets and device nodes; and what regular files answer to poll(2), FIBMAP and the like. */

import { expect, it } from 'vitest';
import { describeSubject } from './subject.js';
import { python, type Target } from './target.js';

export function describeSpecialFiles(target: Target): void {
  describeSubject(target, 'special files', () => {
    it('a FIFO carries bytes from process to process', async () => {
      const program = python`
        os.mkfifo('fifo', 0o640)
        show(kind=stat.S_ISFIFO(os.stat('fifo').st_mode), size=os.stat('fifo').st_size, mode=mode('fifo'), nobody=opens('fifo', os.O_WRONLY | os.O_NONBLOCK), reader=opens('fifo', os.O_RDONLY | os.O_NONBLOCK))
        def work(process):
            with open('fifo', 'wb') as file:
                file.write(b'through')
            return 'ok'
        process = Process(work)
        with open('fifo', 'rb') as file:
            said = file.read()
        os.rename('fifo', 'moved')
        os.link('moved', 'second')
        show(said=said, result=process.result(), count=os.stat('moved').st_nlink, truncated=outcome(os.truncate, 'moved', 0))
      `;
      expect(await target.run(program)).toEqual({
        kind: true,
        size: 0,
        mode: '640',
        nobody: 'ENXIO',
        reader: 'ok',
        said: 'through',
        result: 'ok',
        count: 2,
        truncated: 'EINVAL',
      });
    });

    it('a socket is bound to a name and connected to by it', async () => {
      const program = python`
        server = socket.socket(socket.AF_UNIX)
        server.bind('socket')
        server.listen(1)
        client = socket.socket(socket.AF_UNIX)
        client.connect('socket')
        client.sendall(b'hello')
        connection, _ = server.accept()
        os.rename('socket', 'moved')
        second = socket.socket(socket.AF_UNIX)
        show(said=connection.recv(9), kind=stat.S_ISSOCK(os.stat('moved').st_mode), bound=outcome(socket.socket(socket.AF_UNIX).bind, 'moved'), moved=outcome(second.connect, 'moved'), opened=opens('moved', os.O_RDONLY))
        server.close()
        show(closed=outcome(socket.socket(socket.AF_UNIX).connect, 'moved'))
      `;
      expect(await target.run(program)).toEqual({
        said: 'hello',
        kind: true,
        bound: 'EADDRINUSE',
        moved: 'ok',
        opened: 'ENXIO',
        closed: 'ECONNREFUSED',
      });
    });

    it(target.can.otherUsers ? 'device nodes have their numbers, and work' : 'device nodes are not made by an ordinary user', async () => {
      const program = python`
        numbers = [(1, 3), (0, 0), (8, 1), (255, 255), (4095, 1048575), (259, 70000)]
        made = [outcome(os.mknod, '%d-%d' % number, kind | 0o600, os.makedev(*number)) for number, kind in zip(numbers, [stat.S_IFCHR, stat.S_IFCHR, stat.S_IFBLK] * 2)]
        show(made=made)
        if can['otherUsers']:
            show(numbers=[[os.major(os.lstat(name).st_rdev), os.minor(os.lstat(name).st_rdev)] == list(map(int, name.split('-'))) for name in sorted(os.listdir('.'))],
                 kinds=[stat.S_ISCHR(os.lstat('1-3').st_mode), stat.S_ISBLK(os.lstat('8-1').st_mode)])
            with open('1-3', 'r+b', 0) as null:
                show(null=[null.write(b'away'), null.read()])
        os.mknod('regular', stat.S_IFREG | 0o600)
        show(regular=[read('regular'), mode('regular')], again=outcome(os.mknod, 'regular', stat.S_IFREG | 0o600), directory=outcome(os.mknod, 'd', stat.S_IFDIR | 0o700) in ('EPERM', 'EINVAL'))
      `;
      const regular = { regular: ['', '600'], again: 'EEXIST', directory: true };
      expect(await target.run(program)).toEqual(
        target.can.otherUsers
          ? { made: Array(6).fill('ok'), numbers: Array(6).fill(true), kinds: [true, true], null: [4, ''], ...regular }
          : // 0, 0 stands for no device, and is everybody's.
            { made: ['EPERM', expect.stringMatching(/ok|EPERM/), 'EPERM', 'EPERM', 'EPERM', 'EPERM'], ...regular },
      );
    });

    it('a regular file is always ready', async () => {
      const program = python`
        make('file', b'x')
        file = os.open('file', os.O_RDWR)
        poll = select.poll()
        poll.register(file, select.POLLIN | select.POLLOUT)
        ready = dict(poll.poll(1000))[file]
        show(poll=[bool(ready & select.POLLIN), bool(ready & select.POLLOUT), bool(ready & (select.POLLERR | select.POLLHUP))], select=[len(ready) for ready in select.select([file], [file], [], 1)],
             epoll=outcome(select.epoll().register, file))
      `;
      const shown = (await target.run(program)) as { epoll: string };
      expect(shown).toMatchObject({ poll: [true, true, false], select: [1, 1, 0] });
      expect(shown.epoll).toBe(target.isMounted ? 'ok' : 'EPERM');
    });

    it('where a file lies on the disk is not told', async () => {
      const program = python`
        FIBMAP, FIGETBSZ, FIEMAP, FIONREAD = 1, 2, 0xc020660b, 0x541b
        make('file', b'x' * 10000)
        file = os.open('file', os.O_RDONLY)
        os.read(file, 100)
        def ask(request, argument):
            return outcome(lambda: struct.unpack('i', fcntl.ioctl(file, request, struct.pack('i', argument))[:4])[0])
        show(fibmap=ask(FIBMAP, 0), fiemap=outcome(fcntl.ioctl, file, FIEMAP, struct.pack('QQIIII', 0, 2**63, 0, 0, 0, 0)), left=ask(FIONREAD, 0), unknown=outcome(fcntl.ioctl, file, 0x12345678))
      `;
      const shown = (await target.run(program)) as Record<string, unknown>;
      expect(shown['left']).toBe(9900);
      expect(shown['unknown']).toBe('ENOTTY');
      if (!target.isMounted) return;
      // Block 0 is a hole.
      expect([0, 'EINVAL', 'EPERM', 'ENOTTY']).toContain(shown['fibmap']);
      expect(shown['fiemap']).toBe('EOPNOTSUPP');
    });
  });
}
