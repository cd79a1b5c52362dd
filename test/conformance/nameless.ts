/** Files and directories that are in use and have lost their name, or never had one. */

import { expect, it } from 'vitest';
import { describeSubject } from './subject.js';
import { python, type Target } from './target.js';

export function describeNameless(target: Target): void {
  const { temporaryFiles, inodes, otherUsers } = target.can;
  describeSubject(target, 'files without a name', () => {
    it('an open file that was removed is whole: read, written, cut, stated, changed', async () => {
      const program = python`
        make('file', b'content')
        file = os.open('file', os.O_RDWR)
        os.unlink('file')
        os.pwrite(file, b'CON', 0)
        os.lseek(file, 0, os.SEEK_END)
        os.write(file, b'!')
        os.ftruncate(file, 6)
        os.fchmod(file, 0o600)
        os.utime(file, (5, 6))
        os.setxattr(file, 'user.x', b'y')
        os.fsync(file)
        status = os.fstat(file)
        show(content=os.pread(file, 99, 0), mode=mode(file), modified=int(status.st_mtime), attribute=os.getxattr(file, 'user.x'), count=status.st_nlink,
             listed=os.listdir('.'), real=os.listdir(behind), named=outcome(os.stat, 'file'), linked=outcome(link_descriptor, file, 'again'))
        again = os.open('/proc/self/fd/%d' % file, os.O_RDWR)
        os.pwrite(again, b'A', 0)
        show(reopened=os.pread(file, 99, 0))
      `;
      const shown = await target.run(program);
      if (inodes) {
        expect(shown).toEqual({
          content: 'CONten',
          mode: '600',
          modified: 6,
          attribute: 'y',
          count: 0,
          listed: [],
          real: [],
          named: 'ENOENT',
          linked: 'ENOENT',
          reopened: 'AONten',
        });
        return;
      }
      // libfuse gives it a hidden name until it is closed.
      expect(shown).toMatchObject({ content: 'CONten', mode: '600', named: 'ENOENT' });
    });

    it('the name is free for another file', async () => {
      const program = python`
        make('file', b'first')
        first = os.open('file', os.O_RDWR)
        os.unlink('file')
        make('file', b'second')
        second = os.open('file', os.O_RDWR)
        os.write(first, b'FIRST')
        os.unlink('file')
        os.mkdir('file')
        show(first=os.pread(first, 99, 0), second=os.pread(second, 99, 0), different=os.fstat(first).st_ino != os.fstat(second).st_ino, name=os.listdir('.') if can['inodes'] else ['file'])
      `;
      expect(await target.run(program)).toEqual({ first: 'FIRST', second: 'second', different: true, name: ['file'] });
    });

    it('hundreds of them are open at a time, and are gone when they are closed', async () => {
      const program = python`
        os.mkdir('d')
        free = lambda: os.statvfs(behind).f_ffree
        files = []
        for number in range(400):
            files.append(os.open('d/%d' % number, os.O_CREAT | os.O_RDWR))
            os.write(files[-1], b'%d' % number)
        for number in range(400):
            os.unlink('d/%d' % number)
        right = all(os.pread(file, 9, 0) == b'%d' % number for number, file in enumerate(files))
        if can['inodes']:
            os.rmdir('d')
        for file in files:
            os.close(file)
        show(right=right)
        if not can['inodes']:
            time.sleep(0.2)
        show(left=os.listdir('.') if can['inodes'] else os.listdir('d'))
      `;
      expect(await target.run(program)).toEqual({ right: true, left: [] });
    });

    it('a directory that was removed is empty, and nothing can be made in it', async () => {
      const program = python`
        os.makedirs('outer/inner')
        directory = os.open('outer/inner', os.O_RDONLY)
        os.chdir('outer/inner')
        os.rmdir(here + '/outer/inner')
        show(listed=os.listdir(directory) if can['inodes'] else [], made=[outcome(os.mkdir, 'x'), opens('y', os.O_CREAT | os.O_WRONLY), outcome(os.symlink, 'a', 'b')], cwd=outcome(os.getcwd),
             up=outcome(os.stat, '..') != 'EIO', count=outcome(lambda: os.fstat(directory).st_nlink))
        os.mkdir(here + '/outer/inner')
        show(fresh=os.listdir(here + '/outer'), still=opens('y', os.O_CREAT | os.O_WRONLY))
      `;
      expect(await target.run(program)).toEqual({
        listed: [],
        made: ['ENOENT', 'ENOENT', 'ENOENT'],
        cwd: 'ENOENT',
        up: true,
        count: inodes ? 0 : 'ENOENT',
        fresh: ['inner'],
        still: 'ENOENT',
      });
    });

    it('a process goes on in a file that another removes, and in one that another moves', async () => {
      const program = python`
        make('removed', b'1')
        make('moved', b'2')
        def work(process):
            files = [os.open(name, os.O_RDWR) for name in ('removed', 'moved')]
            process.say('open')
            process.hear()
            for file in files:
                os.pwrite(file, b'later', 1)
            return [os.pread(file, 9, 0) for file in files]
        process = Process(work)
        process.hear()
        os.unlink('removed')
        os.mkdir('d')
        os.rename('moved', 'd/elsewhere')
        process.say('done')
        show(contents=process.result(), moved=read('d/elsewhere'))
      `;
      expect(await target.run(program)).toEqual({ contents: ['1later', '2later'], moved: '2later' });
    });

    it(temporaryFiles ? 'O_TMPFILE makes a file without a name, which a link gives it' : 'O_TMPFILE is refused', async () => {
      const program = python`
        os.umask(0o027)
        made = opens('.', os.O_TMPFILE | os.O_RDWR, 0o666)
        show(made=made)
        if made == 'ok':
            file = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o666)
            os.write(file, b'content')
            show(before=[os.listdir('.'), os.fstat(file).st_nlink, mode(file)])
            os.setxattr(file, 'user.x', b'y')
            show(linked=[link_descriptor(file, 'named'), outcome(link_descriptor, file, 'named')], after=[os.listdir('.'), os.fstat(file).st_nlink, read('named')])
            os.pwrite(file, b'C', 0)
            link_descriptor(file, 'second')
            os.unlink('named')
            show(both=[read('second'), os.getxattr('second', 'user.x')])
            never = os.open('.', os.O_TMPFILE | os.O_EXCL | os.O_RDWR)
            os.write(never, b'x' * 100000)
            show(never=outcome(link_descriptor, never, 'never'), many=len({os.open('.', os.O_TMPFILE | os.O_WRONLY) for _ in range(100)}))
        show(refused=[opens('second', os.O_TMPFILE | os.O_RDWR), opens('.', os.O_TMPFILE | os.O_RDONLY), opens('none', os.O_TMPFILE | os.O_RDWR)])
      `;
      const refused = [temporaryFiles ? 'ENOTDIR' : 'ENOENT', 'EINVAL', 'ENOENT'];
      expect(await target.run(program)).toEqual(
        temporaryFiles
          ? {
              made: 'ok',
              before: [[], 0, '640'],
              linked: [0, 'EEXIST'],
              after: [['named'], 1, 'content'],
              both: ['Content', 'y'],
              never: 'ENOENT',
              many: 100,
              refused,
            }
          : { made: 'EOPNOTSUPP', refused },
      );
    });

    if (temporaryFiles && otherUsers) {
      it('a temporary file belongs to the one who makes it', async () => {
        const program = python`
          os.chmod('.', 0o777)
          def work():
              file = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o600)
              link_descriptor(file, 'file')
              return [os.fstat(file).st_uid, os.fstat(file).st_gid]
          show(own=as_user(1000, work, gid=1001), owner=owner('file'))
        `;
        expect(await target.run(program)).toEqual({ own: [1000, 1001], owner: [1000, 1001] });
      });
    }
  });
}
