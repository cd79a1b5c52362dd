/** Hard links, and the removal of names: link counts, and what is refused. */

import { expect, it } from 'vitest';
import { anyBoolean, describeSubject } from './subject.js';
import { python, type Target } from './target.js';

export function describeLinks(target: Target): void {
  describeSubject(target, 'links and removal', () => {
    it('all names of a file are one file, and its link count is that of its names', async () => {
      const program = python`
        make('a', b'first')
        counts = [os.stat('a').st_nlink]
        os.mkdir('d')
        for name in ('b', 'd/c'):
            os.link('a', name)
            counts.append(os.stat('a').st_nlink)
        with open('b', 'ab') as file:
            file.write(b' and more')
        os.chmod('d/c', 0o640)
        same = len({os.stat(name).st_ino for name in ('a', 'b', 'd/c')}) == 1
        contents = [read(name) for name in ('a', 'b', 'd/c')]
        modes = [mode(name) for name in ('a', 'b', 'd/c')]
        for name in ('a', 'd/c'):
            os.unlink(name)
            counts.append(os.stat('b').st_nlink)
        os.link('b', 'a')
        counts.append(os.stat('b').st_nlink)
        show(counts=counts, same=same, contents=contents, modes=modes, listed=sorted(os.listdir('.')))
      `;
      expect(await target.run(program)).toEqual({
        counts: [1, 2, 3, 2, 1, 2],
        same: target.can.inodeNumbers || anyBoolean,
        contents: Array<string>(3).fill('first and more'),
        modes: ['640', '640', '640'],
        listed: ['a', 'b', 'd'],
      });
    });

    it('links to directories, over existing names and of missing ones are refused', async () => {
      const program = python`
        make('file')
        os.mkdir('directory')
        os.symlink('file', 'link')
        os.symlink('nowhere', 'dangling')
        show(
            directory=outcome(os.link, 'directory', 'x'),
            over=[outcome(os.link, 'file', name) for name in ('file', 'directory', 'link', 'dangling')],
            missing=[outcome(os.link, 'none', 'x'), outcome(os.link, 'file', 'none/x'), outcome(os.link, 'file', 'file/x')],
            of_link=outcome(os.link, 'link', 'second', follow_symlinks=False),
            is_link=os.path.islink('second'),
            count=os.lstat('link').st_nlink,
        )
      `;
      expect(await target.run(program)).toEqual({
        directory: 'EPERM',
        over: ['EEXIST', 'EEXIST', 'EEXIST', 'EEXIST'],
        missing: ['ENOENT', 'ENOENT', 'ENOTDIR'],
        of_link: 'ok',
        is_link: true,
        count: 2,
      });
    });

    it('a file may have a thousand names', async () => {
      const program = python`
        make('0', b'x')
        for number in range(1, 1000):
            os.link('0', str(number))
        counts = [os.stat('999').st_nlink, len(os.listdir('.'))]
        for number in range(0, 1000, 2):
            os.unlink(str(number))
        show(counts=counts, after=[os.stat('1').st_nlink, len(os.listdir('.'))])
      `;
      expect(await target.run(program)).toEqual({ counts: [1000, 1000], after: [500, 500] });
    });

    it('a directory has a link for each directory in it', async () => {
      const program = python`
        counts = [os.stat('.').st_nlink]
        for name in 'abc':
            os.mkdir(name)
        make('file')
        counts.append(os.stat('.').st_nlink)
        os.mkdir('a/below')
        os.rename('b', 'a/b')
        counts += [os.stat('.').st_nlink, os.stat('a').st_nlink]
        os.rmdir('c')
        counts.append(os.stat('.').st_nlink)
        show(counts=counts)
      `;
      expect(await target.run(program)).toEqual({ counts: [2, 5, 4, 4, 3] });
    });

    it('what cannot be removed says why', async () => {
      const program = python`
        make('file')
        os.makedirs('full/inner')
        os.symlink('full', 'link')
        show(
            unlink=[outcome(os.unlink, 'full'), outcome(os.unlink, 'none'), outcome(os.unlink, 'file/')],
            rmdir=[outcome(os.rmdir, name) for name in ('file', 'full', 'none', 'link', 'full/inner/.', 'full/inner/..')],
            removed=[outcome(os.rmdir, 'full/inner'), outcome(os.rmdir, 'full'), outcome(os.unlink, 'link')],
            again=[outcome(os.rmdir, 'full'), outcome(os.unlink, 'link')],
            listed=os.listdir('.'),
        )
      `;
      expect(await target.run(program)).toEqual({
        unlink: ['EISDIR', 'ENOENT', 'ENOTDIR'],
        rmdir: ['ENOTDIR', 'ENOTEMPTY', 'ENOENT', 'ENOTDIR', 'EINVAL', 'ENOTEMPTY'],
        removed: ['ok', 'ok', 'ok'],
        again: ['ENOENT', 'ENOENT'],
        listed: ['file'],
      });
    });

    it('what exists is not made again', async () => {
      const program = python`
        make('file', b'kept')
        os.mkdir('directory')
        make('directory/inner')
        make_node = lambda name: os.mknod(name, stat.S_IFREG | 0o644)
        show(
            over_file=[outcome(make_it, 'file') for make_it in (os.mkdir, os.mkfifo, make_node, lambda name: os.symlink('x', name))],
            over_directory=[outcome(make_it, 'directory') for make_it in (os.mkdir, os.mkfifo, make_node, lambda name: os.symlink('x', name))],
            exclusive=[opens(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY) for name in ('file', 'directory')],
            opened=[opens('directory', os.O_CREAT | os.O_WRONLY), opens('directory', os.O_RDWR), opens('file', os.O_RDONLY | os.O_DIRECTORY)],
            self=[outcome(os.mkdir, name) for name in ('.', '..', '/')],
            content=[read('file'), os.listdir('directory')],
        )
      `;
      expect(await target.run(program)).toEqual({
        over_file: ['EEXIST', 'EEXIST', 'EEXIST', 'EEXIST'],
        over_directory: ['EEXIST', 'EEXIST', 'EEXIST', 'EEXIST'],
        exclusive: ['EEXIST', 'EEXIST'],
        opened: ['EISDIR', 'EISDIR', 'ENOTDIR'],
        self: ['EEXIST', 'EEXIST', 'EEXIST'],
        content: ['kept', ['inner']],
      });
    });
  });
}
