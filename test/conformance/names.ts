/** Names and paths: how long, of which bytes, what a path that cannot be walked says. */

import { expect, it } from 'vitest';
import { describeSubject } from './subject.js';
import { python, type Target } from './target.js';

export function describeNames(target: Target): void {
  describeSubject(target, 'names and paths', () => {
    it('a name of 255 bytes is one like others', async () => {
      const program = python`
        name, other = 'n' * 255, 'm' * 255
        make(name, b'content')
        os.mkdir(other)
        os.symlink(name, other + '/' + 'l' * 255)
        os.rename(name, other + '/' + name)
        os.link(other + '/' + name, name)
        show(content=read(name), listed=sorted(map(len, os.listdir('.'))), below=sorted(os.listdir(other)) == ['l' * 255, name])
      `;
      expect(await target.run(program)).toEqual({ content: 'content', listed: [255, 255], below: true });
    });

    it('a name of 256 bytes is ENAMETOOLONG in every call', async () => {
      const program = python`
        long = 'n' * 256
        make('file')
        os.mkdir('directory')
        show(
            stat=outcome(os.stat, long),
            below=outcome(os.stat, long + '/x'),
            create=opens(long, os.O_CREAT | os.O_WRONLY),
            mkdir=outcome(os.mkdir, long),
            mkfifo=outcome(os.mkfifo, long),
            symlink=outcome(os.symlink, 'file', long),
            link=outcome(os.link, 'file', long),
            rename=outcome(os.rename, 'file', long),
            renamed=outcome(os.rename, long, 'x'),
            unlink=outcome(os.unlink, long),
            rmdir=outcome(os.rmdir, long),
            chmod=outcome(os.chmod, long, 0o644),
            truncate=outcome(os.truncate, long, 0),
            utime=outcome(os.utime, long),
            readlink=outcome(os.readlink, long),
            # 128 characters, 256 bytes.
            umlauts=outcome(os.mkdir, 'ü' * 128),
        )
      `;
      const shown = (await target.run(program)) as Record<string, string>;
      expect(Object.keys(shown)).toHaveLength(16);
      expect(new Set(Object.values(shown))).toEqual(new Set(['ENAMETOOLONG']));
    });

    it('a name may be of any bytes but / and NUL', async () => {
      const program = python`
        names = [bytes([byte]) for byte in range(1, 256) if byte not in b'/.']
        names += [b'...', b'.hidden', b'-rf', b' ', b'a b', b'new\nline', b'\xff\xfe', b'\xc3\x28', 'ü'.encode(), 'u\u0308'.encode(), b'\\', b'%s', b'~']
        names = list(dict.fromkeys(names))
        if not can['byteNames']:
            show(refused={opens(name, os.O_CREAT | os.O_WRONLY) for name in names if not decodes(name)} | {outcome(os.mkdir, b'\xff'), outcome(os.stat, b'\xff')})
            names = [name for name in names if decodes(name)]
        for name in names:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        seen = [sorted(os.listdir(os.fsencode(at))) == sorted(names) for at in (here, behind)]
        suffix = b'\xff\n' if can['byteNames'] else b'\n'
        for name in names[::2]:
            os.rename(name, name + suffix)
        for name in names[1::2]:
            os.unlink(name)
        show(seen=seen, left=sorted(os.listdir(b'.')) == sorted(name + suffix for name in names[::2]))
      `;
      const refused = target.can.byteNames ? {} : { refused: ['EILSEQ'] };
      expect(await target.run(program)).toEqual({ ...refused, seen: [true, true], left: true });
    });

    it('names that differ in case, or in how a letter is composed, are different', async () => {
      const program = python`
        for name in ('name', 'Name', 'NAME', '\u00e9', 'e\u0301'):
            make(name, name.encode())
        show(count=len(os.listdir('.')), content=read('Name'), composed=read('\u00e9') != read('e\u0301'))
      `;
      expect(await target.run(program)).toEqual({ count: 5, content: 'Name', composed: true });
    });

    it('a path of 4095 bytes is walked, one of 4096 is ENAMETOOLONG', async () => {
      const program = python`
        make('xy')
        longest = './' * 2046 + '/xy'
        os.makedirs('/'.join(['deep' * 25] * 30))
        below = '/'.join(['deep' * 25] * 30)
        show(
            lengths=[len(longest), len('./' + longest)],
            walked=outcome(os.stat, longest) != 'ENOENT' and opens(longest, os.O_RDONLY),
            refused=[outcome(os.stat, longest + '/'), opens('./' + longest, os.O_RDONLY), outcome(os.mkdir, './' + longest)],
            # Deeper than any path, step by step.
            deep=outcome(lambda: [os.chdir(below), os.makedirs(below), os.chdir(below), make('x', b'deep'), read('x')][-1]),
            gone=outcome(lambda: [os.chdir(here), shutil.rmtree('deep' * 25), os.listdir('.')][-1]),
        )
      `;
      expect(await target.run(program)).toEqual({
        lengths: [4095, 4097],
        walked: 'ok',
        refused: ['ENAMETOOLONG', 'ENAMETOOLONG', 'ENAMETOOLONG'],
        deep: 'deep',
        gone: ['xy'],
      });
    });

    it('a path through what is no directory is ENOTDIR, through what is not there ENOENT', async () => {
      const program = python`
        make('file')
        os.mkdir('directory')
        os.symlink('nowhere', 'dangling')
        show(
            through=[outcome(os.stat, 'file/x'), outcome(os.mkdir, 'file/x'), outcome(os.rename, 'directory', 'file/x'), outcome(os.unlink, 'file/x')],
            slash=[outcome(os.stat, 'file/'), opens('file/', os.O_RDONLY), opens('new/', os.O_CREAT | os.O_WRONLY), outcome(os.mkdir, 'made/')],
            missing=[outcome(os.stat, 'none'), outcome(os.stat, 'none/x'), outcome(os.mkdir, 'none/x'), outcome(os.stat, ''), outcome(os.unlink, 'none')],
            dangling=[outcome(os.stat, 'dangling'), outcome(os.mkdir, 'dangling'), opens('dangling', os.O_CREAT | os.O_EXCL | os.O_WRONLY)],
            through_link=opens('dangling', os.O_CREAT | os.O_WRONLY),
            listed=sorted(os.listdir('.')),
            above=os.path.samefile('directory/..', '.'),
        )
      `;
      expect(await target.run(program)).toEqual({
        through: ['ENOTDIR', 'ENOTDIR', 'ENOTDIR', 'ENOTDIR'],
        slash: ['ENOTDIR', 'ENOTDIR', 'EISDIR', 'ok'],
        missing: ['ENOENT', 'ENOENT', 'ENOENT', 'ENOENT', 'ENOENT'],
        dangling: ['ENOENT', 'EEXIST', 'EEXIST'],
        through_link: 'ok',
        listed: ['dangling', 'directory', 'file', 'made', 'nowhere'],
        above: true,
      });
    });

    it('a name that was not there is there once it is made, and gone once it is removed', async () => {
      const program = python`
        found = []
        for make_it, remove in ((lambda: make('x'), os.unlink), (lambda: os.mkdir('x'), os.rmdir), (lambda: os.symlink('y', 'x'), os.unlink)):
            for _ in range(3):
                found.append(os.path.lexists('x'))
                make_it()
                found.append(os.path.lexists('x'))
                remove('x')
        show(found=found, left=os.listdir('.'))
      `;
      expect(await target.run(program)).toEqual({ found: Array.from({ length: 18 }, (_, index) => index % 2 === 1), left: [] });
    });

    it('symbolic links: 40 are followed, a loop is ELOOP, O_NOFOLLOW refuses', async () => {
      const program = python`
        make('0', b'end')
        for number in range(1, 42):
            os.symlink(str(number - 1), str(number))
        os.symlink('loop', 'loop')
        os.symlink('b', 'a')
        os.symlink('a', 'b')
        os.mkdir('directory')
        os.symlink('directory', 'way')
        make('directory/file', b'below')
        show(
            followed=read('40'),
            many=outcome(os.stat, '41'),
            loops=[outcome(os.stat, 'loop'), opens('a', os.O_RDONLY), outcome(os.stat, 'loop/x'), outcome(os.chmod, 'b', 0o600), opens('loop', os.O_CREAT | os.O_WRONLY)],
            nofollow=opens('1', os.O_RDONLY | os.O_NOFOLLOW),
            on_the_way=read('way/file'),
            as_directory=[opens('way', os.O_RDONLY | os.O_DIRECTORY), opens('way', os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)],
            removed=[outcome(os.rmdir, 'way'), outcome(os.unlink, 'loop'), outcome(os.unlink, 'a')],
        )
      `;
      expect(await target.run(program)).toEqual({
        followed: 'end',
        many: 'ELOOP',
        loops: ['ELOOP', 'ELOOP', 'ELOOP', 'ELOOP', 'ELOOP'],
        nofollow: 'ELOOP',
        on_the_way: 'below',
        as_directory: ['ok', 'ENOTDIR'],
        removed: ['ENOTDIR', 'ok', 'ok'],
      });
    });

    it('a symbolic link keeps any target of up to 4095 bytes', async () => {
      const program = python`
        targets = [b'x', b'../up', b'/etc/passwd', b'nowhere', b'\xff\xfe\n' if can['byteNames'] else b'\xc3\xbc\n', b't' * 255, b't' * 4095]
        for number, target in enumerate(targets):
            os.symlink(target, str(number).encode())
        show(
            read=[os.readlink(str(number).encode()) == target for number, target in enumerate(targets)],
            sizes=[os.lstat(str(number)).st_size == len(target) for number, target in enumerate(targets)],
            modes={mode(str(number)) for number in range(len(targets))},
            refused=[outcome(os.symlink, b't' * 4096, 'long'), outcome(os.symlink, '', 'empty'), outcome(os.symlink, 'x', '0')],
            no_link=outcome(os.readlink, make('file')),
        )
      `;
      expect(await target.run(program)).toEqual({
        read: Array<boolean>(7).fill(true),
        sizes: Array<boolean>(7).fill(true),
        modes: ['777'],
        refused: ['ENAMETOOLONG', 'ENOENT', 'EEXIST'],
        no_link: 'EINVAL',
      });
    });
  });
}
