/** rename(2) and renameat2(2). */

import { expect, it } from 'vitest';
import { anyBoolean, anyNumber, anything, describeSubject } from './subject.js';
import { python, type Target } from './target.js';

export function describeRenames(target: Target): void {
  describeSubject(target, 'renames', () => {
    it('a file takes the place of a file, and an empty directory that of one', async () => {
      const program = python`
        make('old', b'old')
        make('new', b'new')
        os.link('new', 'other')
        number = os.stat('old').st_ino
        os.rename('old', 'new')
        os.mkdir('a')
        make('a/inner', b'inner')
        os.mkdir('b')
        os.rename('a', 'b')
        os.symlink('new', 'link')
        os.rename('link', 'other')
        show(content=read('new'), kept=os.stat('new').st_ino == number, gone=outcome(os.stat, 'old'), inner=read('b/inner'), is_link=os.path.islink('other'),
             count=os.stat('new').st_nlink, listed=sorted(os.listdir('.')))
      `;
      expect(await target.run(program)).toEqual({
        content: 'old',
        kept: target.can.inodeNumbers || anyBoolean,
        gone: 'ENOENT',
        inner: 'inner',
        is_link: true,
        count: 1,
        listed: ['b', 'new', 'other'],
      });
    });

    it('what cannot be replaced or moved stays as it is', async () => {
      const program = python`
        make('file', b'file')
        os.makedirs('full/inner/deep')
        os.mkdir('empty')
        show(
            over=[outcome(os.rename, 'empty', 'full'), outcome(os.rename, 'file', 'empty'), outcome(os.rename, 'empty', 'file')],
            below=[outcome(os.rename, 'full', 'full/inner/x'), outcome(os.rename, 'full', 'full/x'), outcome(os.rename, 'full/inner', 'full')],
            missing=[outcome(os.rename, 'none', 'x'), outcome(os.rename, 'file', 'none/x'), outcome(os.rename, 'none', 'file')],
            dots=[outcome(os.rename, 'full/.', 'x') in ('EINVAL', 'EBUSY'), outcome(os.rename, 'full/..', 'x') in ('EINVAL', 'EBUSY')],
            slash=[outcome(os.rename, 'file/', 'x'), outcome(os.rename, 'file', 'x/'), outcome(os.rename, 'empty/', 'moved/')],
            self=[outcome(os.rename, 'file', 'file'), outcome(os.rename, 'full', 'full')],
            listed=sorted(os.listdir('.')),
            content=read('file'),
        )
      `;
      expect(await target.run(program)).toEqual({
        over: ['ENOTEMPTY', 'EISDIR', 'ENOTDIR'],
        below: ['EINVAL', 'EINVAL', 'ENOTEMPTY'],
        missing: ['ENOENT', 'ENOENT', 'ENOENT'],
        dots: [true, true],
        slash: ['ENOTDIR', 'ENOTDIR', 'ok'],
        self: ['ok', 'ok'],
        listed: ['file', 'full', 'moved'],
        content: 'file',
      });
    });

    it('two names of one file both stay', async () => {
      const program = python`
        make('a', b'x')
        os.link('a', 'b')
        os.rename('a', 'b')
        file = os.open('a', os.O_RDONLY)
        os.unlink('b')
        show(listed=os.listdir('.'), count=os.fstat(file).st_nlink, content=read('a'))
        os.rename('a', 'c')
        show(moved=read('c'), still=os.pread(file, 9, 0))
      `;
      expect(await target.run(program)).toEqual({ listed: ['a'], count: 1, content: 'x', moved: 'x', still: 'x' });
    });

    it('an open file that is replaced goes on as it was', async () => {
      const program = python`
        make('file', b'old content')
        make('other', b'new')
        old = os.open('file', os.O_RDWR)
        os.rename('other', 'file')
        os.pwrite(old, b'OLD', 0)
        os.ftruncate(old, 7)
        show(new=read('file'), old=os.pread(old, 99, 0), size=os.fstat(old).st_size, count=os.fstat(old).st_nlink)
      `;
      expect(await target.run(program)).toEqual({
        new: 'new',
        old: 'OLD con',
        size: 7,
        count: target.can.inodes ? 0 : anyNumber,
      });
    });

    it('a directory moves with all that is below, open or not', async () => {
      const program = python`
        os.makedirs('a/b/c')
        os.mkdir('elsewhere')
        make('a/b/c/file', b'content')
        file = os.open('a/b/c/file', os.O_RDWR)
        os.stat('a/b/c/file')
        directory = os.open('a/b', os.O_RDONLY)
        os.chdir('a/b/c')
        os.rename(here + '/a/b', here + '/elsewhere/moved')
        cwd = os.getcwd()[len(here):]
        make('second', b'second')
        os.pwrite(file, b'CON', 0)
        up = os.listdir('..')
        os.chdir(here)
        show(cwd=cwd, up=up, gone=outcome(os.stat, 'a/b'), content=[read('elsewhere/moved/c/file'), read('elsewhere/moved/c/second')],
             by_descriptor=os.listdir(directory), above=os.path.samefile('elsewhere/moved/..', 'elsewhere'),
             counts=[os.stat('a').st_nlink, os.stat('elsewhere').st_nlink])
        # The old name is free for another.
        os.makedirs('a/b/c')
        show(fresh=os.listdir('a/b/c'))
      `;
      expect(await target.run(program)).toEqual({
        cwd: '/elsewhere/moved/c',
        up: ['c'],
        gone: 'ENOENT',
        content: ['CONtent', 'second'],
        by_descriptor: ['c'],
        above: true,
        counts: [2, 3],
        fresh: [],
      });
    });

    it('names go round in a circle', async () => {
      const program = python`
        for name in 'abc':
            os.mkdir(name)
            make(name + '/is', name.encode())
            make(name + '.txt', name.encode())
        for suffix in ('', '.txt'):
            for _ in range(4):
                for old, new in (('a', 'x'), ('b', 'a'), ('c', 'b'), ('x', 'c')):
                    os.rename(old + suffix, new + suffix)
        show(directories=[read(name + '/is') for name in 'abc'], files=[read(name + '.txt') for name in 'abc'])
      `;
      expect(await target.run(program)).toEqual({ directories: ['b', 'c', 'a'], files: ['b', 'c', 'a'] });
    });

    it('RENAME_NOREPLACE refuses what exists', async () => {
      const program = python`
        move = lambda old, new, flags: outcome(rename2, old, new, flags)
        make('a', b'a')
        make('b', b'b')
        os.mkdir('d')
        os.symlink('nowhere', 'dangling')
        show(
            over=[move('a', name, NOREPLACE) for name in ('b', 'd', 'dangling', 'a')],
            missing=move('none', 'x', NOREPLACE),
            free=[move('a', 'c', NOREPLACE), move('d', 'e', NOREPLACE)],
            listed=sorted(os.listdir('.')),
        )
      `;
      const { renameFlags } = target.can;
      expect(await target.run(program)).toEqual({
        over: Array<string>(4).fill('EEXIST'),
        missing: 'ENOENT',
        free: renameFlags ? [0, 0] : ['EINVAL', 'EINVAL'],
        listed: renameFlags ? ['b', 'c', 'dangling', 'e'] : ['a', 'b', 'd', 'dangling'],
      });
    });

    it('RENAME_EXCHANGE swaps any two names', async () => {
      const program = python`
        move = lambda old, new, flags: outcome(rename2, old, new, flags)
        make('a', b'a')
        make('b', b'b')
        os.makedirs('d/inner')
        make('d/inner/file', b'deep')
        os.mkdir('e')
        open_a = os.open('a', os.O_RDWR)
        swapped = [move('a', 'b', EXCHANGE), move('a', 'd/inner', EXCHANGE), move('d', 'e', EXCHANGE)]
        if can['renameFlags']:
            os.pwrite(open_a, b'A', 0)
            show(contents=[read('b'), read('a/file'), read('e/inner')], counts=[os.stat(name).st_nlink for name in ('a', 'd', 'e', 'b')])
        show(
            swapped=swapped,
            missing=[move('b', 'none', EXCHANGE), move('none', 'b', EXCHANGE)],
            below=move('.', 'b', EXCHANGE) in ('EINVAL', 'EBUSY'),
            both=move('a', 'b', EXCHANGE | NOREPLACE),
            unknown=move('a', 'b', 64),
            self=move('b', 'b', EXCHANGE),
        )
      `;
      const { renameFlags } = target.can;
      expect(await target.run(program)).toEqual({
        ...(renameFlags ? { contents: ['A', 'deep', 'b'], counts: [2, 2, 2, 1] } : {}),
        swapped: renameFlags ? [0, 0, 0] : ['EINVAL', 'EINVAL', 'EINVAL'],
        missing: ['ENOENT', 'ENOENT'],
        below: true,
        both: 'EINVAL',
        unknown: 'EINVAL',
        self: renameFlags ? 0 : anything,
      });
    });

    it('RENAME_WHITEOUT leaves a device 0, 0', async () => {
      const program = python`
        move = lambda old, new, flags: outcome(rename2, old, new, flags)
        make('a', b'a')
        moved = move('a', 'b', WHITEOUT)
        show(moved=moved, content=read('b') if moved == 0 else None, left=os.path.lexists('a') and [stat.S_ISCHR(os.lstat('a').st_mode), os.lstat('a').st_rdev])
      `;
      const works = target.can.renameFlags && target.can.otherUsers;
      const shown = await target.run(program);
      if (works) expect(shown).toEqual({ moved: 0, content: 'a', left: [true, 0] });
      // Making devices is root's, and an ordinary user may be let (Linux 5.8 and later take device 0, 0 for no device).
      else expect([{ moved: 'EPERM' }, { moved: 'EINVAL' }, { moved: 0 }]).toContainEqual({ moved: (shown as { moved: unknown }).moved });
    });

    it('times of both directories change with a move', async () => {
      const program = python`
        os.mkdir('from')
        os.mkdir('to')
        make('from/x')
        make('to/x')
        for name in ('from', 'to'):
            os.utime(name, (1, 1))
        os.rename('from/x', 'to/x')
        show(changed=[os.stat(name).st_mtime > 1 for name in ('from', 'to')])
      `;
      expect(await target.run(program)).toEqual({ changed: [true, true] });
    });
  });
}
