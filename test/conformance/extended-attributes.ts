/** Extended attributes and access control lists. */

import { expect, it } from 'vitest';
import { anyArray, describeSubject } from './subject.js';
import { python, type Target } from './target.js';

export function describeExtendedAttributes(target: Target): void {
  const { otherUsers, accessLists, callerOwnership } = target.can;
  describeSubject(target, 'extended attributes', () => {
    it('are set, read, listed, replaced and removed, on files and directories', async () => {
      const program = python`
        make('file')
        os.mkdir('directory')
        seen = []
        for name in ('file', 'directory'):
            os.setxattr(name, 'user.text', b'value')
            os.setxattr(name, 'user.binary', bytes(range(256)))
            os.setxattr(name, 'user.empty', b'')
            os.setxattr(name, 'user.with/slash and \u00fc', b'odd')
            os.setxattr(name, 'user.text', b'another')
            seen.append([os.getxattr(name, 'user.text'), os.getxattr(name, 'user.binary') == bytes(range(256)), os.getxattr(name, 'user.empty'), os.getxattr(name, 'user.with/slash and \u00fc'), sorted(map(ascii, os.listxattr(name)))])
            os.removexattr(name, 'user.text')
            seen.append([outcome(os.getxattr, name, 'user.text'), outcome(os.removexattr, name, 'user.text'), len(os.listxattr(name))])
        os.rename('file', 'moved')
        os.link('moved', 'second')
        file = os.open('second', os.O_RDONLY)
        show(seen=seen, kept=[len(os.listxattr('moved')), os.getxattr('second', 'user.empty'), len(os.listxattr(file))])
      `;
      const set = ['another', true, '', 'odd', ["'user.binary'", "'user.empty'", "'user.text'", "'user.with/slash and \\xfc'"]];
      const removed = ['ENODATA', 'ENODATA', 3];
      expect(await target.run(program)).toEqual({ seen: [set, removed, set, removed], kept: [3, '', 3] });
    });

    it('XATTR_CREATE refuses what is there, XATTR_REPLACE what is not', async () => {
      const program = python`
        make('file')
        os.setxattr('file', 'user.x', b'1', os.XATTR_CREATE)
        show(create=outcome(os.setxattr, 'file', 'user.x', b'2', os.XATTR_CREATE), replace=outcome(os.setxattr, 'file', 'user.y', b'2', os.XATTR_REPLACE), value=os.getxattr('file', 'user.x'))
        os.setxattr('file', 'user.x', b'3', os.XATTR_REPLACE)
        show(replaced=os.getxattr('file', 'user.x'))
      `;
      expect(await target.run(program)).toEqual({ create: 'EEXIST', replace: 'ENODATA', value: '1', replaced: '3' });
    });

    it('sizes: the length is told, too little room is ERANGE, too much is refused', async () => {
      const program = python`
        make('file')
        os.setxattr('file', 'user.x', b'v' * 1000)
        buffer = ctypes.create_string_buffer(70000)
        make('roomy')
        show(
            told=[system('getxattr', 'file', 'user.x', 0, 0), system('listxattr', 'file', 0, 0)],
            little=[outcome(system, 'getxattr', 'file', 'user.x', buffer, 999), outcome(system, 'listxattr', 'file', buffer, 6)],
            enough=[system('getxattr', 'file', 'user.x', buffer, 1000), system('listxattr', 'file', buffer, 7)],
            name=[outcome(os.setxattr, 'file', 'user.' + 'n' * 250, b'x'), outcome(os.setxattr, 'file', 'user.' + 'n' * 251, b'x'), outcome(os.setxattr, 'file', 'user.', b'x')],
            large=[outcome(os.setxattr, 'roomy', 'user.large', b'v' * 3000), outcome(os.setxattr, 'roomy', 'user.large', b'v' * 65537), len(os.getxattr('roomy', 'user.large'))],
        )
        # As large as the file system behind has room for: there, and here.
        def largest(path):
            size = 0
            for step in (32768, 16384, 8192, 4096, 2048, 1024, 512):
                if outcome(os.setxattr, path, 'user.y', b'v' * (size + step)) == 'ok':
                    size += step
            return size
        beside = make(os.path.join(behind, '..', '..', 'beside-%d' % os.getpid()))
        show(same=largest(make('other')) == largest(beside))
        os.unlink(beside)
      `;
      expect(await target.run(program)).toEqual({
        told: [1000, 7],
        little: ['ERANGE', 'ERANGE'],
        enough: [1000, 7],
        name: ['ok', 'ERANGE', 'EINVAL'],
        large: ['ok', 'E2BIG', 3000],
        same: true,
      });
    });

    it('many attributes stay apart', async () => {
      const program = python`
        make('file')
        for number in range(60):
            os.setxattr('file', 'user.%d' % number, b'%d' % number)
        for number in range(0, 60, 3):
            os.removexattr('file', 'user.%d' % number)
        show(right=all(os.getxattr('file', 'user.%d' % number) == b'%d' % number for number in range(60) if number % 3), count=len(os.listxattr('file')))
      `;
      expect(await target.run(program)).toEqual({ right: true, count: 40 });
    });

    it('links and special files have none of users, and unknown kinds are refused', async () => {
      const program = python`
        make('file')
        os.symlink('file', 'link')
        os.mkfifo('fifo')
        os.setxattr('link', 'user.through', b'x')
        show(
            through=os.getxattr('file', 'user.through'),
            link=[outcome(os.setxattr, 'link', 'user.x', b'x', follow_symlinks=False), outcome(os.getxattr, 'link', 'user.through', follow_symlinks=False) != 'x'],
            fifo=outcome(os.setxattr, 'fifo', 'user.x', b'x'),
            unknown=[outcome(os.setxattr, 'file', name, b'x') for name in ('nothing.x', 'nothing')],
            missing=[outcome(os.getxattr, 'none', 'user.x'), outcome(os.listxattr, 'none')],
        )
        if can['otherUsers']:
            os.setxattr('link', 'trusted.x', b'of the link', follow_symlinks=False)
            os.setxattr('fifo', 'trusted.x', b'of the fifo')
            os.setxattr('file', 'trusted.x', b'of the file')
            show(trusted=[os.getxattr('link', 'trusted.x', follow_symlinks=False), os.getxattr('link', 'trusted.x'), os.getxattr('fifo', 'trusted.x')],
                 others=as_user(1000, lambda: [outcome(os.getxattr, 'file', 'trusted.x'), outcome(os.setxattr, 'file', 'trusted.y', b'')]))
      `;
      expect(await target.run(program)).toEqual({
        through: 'x',
        link: ['EPERM', true],
        fifo: 'EPERM',
        unknown: ['EOPNOTSUPP', 'EOPNOTSUPP'],
        missing: ['ENOENT', 'ENOENT'],
        ...(otherUsers ? { trusted: ['of the link', 'of the file', 'of the fifo'], others: ['ENODATA', 'EPERM'] } : {}),
      });
    });

    if (otherUsers) {
      it('only those who may write set them, only those who may read read them', async () => {
        const program = python`
          os.chmod('.', 0o755)
          make('file', b'', 0o640)
          os.chown('file', 1000, 1000)
          os.setxattr('file', 'user.x', b'x')
          os.setxattr('file', 'trusted.secret', b'x')
          tries = lambda: [outcome(os.getxattr, 'file', 'user.x'), outcome(os.setxattr, 'file', 'user.y', b'y'), outcome(os.removexattr, 'file', 'user.y')]
          show(owner=as_user(1000, tries), group=as_user(2000, tries, groups=[1000]), other=as_user(2000, tries), listed=as_user(1000, lambda: os.listxattr('file')), root=sorted(os.listxattr('file')))
        `;
        expect(await target.run(program)).toEqual({
          owner: ['x', 'ok', 'ok'],
          group: ['x', 'EACCES', 'EACCES'],
          other: ['EACCES', 'EACCES', 'EACCES'],
          // Where it is not known who asks, the names are everybody's to see; the values are not.
          listed: callerOwnership ? ['user.x'] : anyArray,
          root: ['trusted.secret', 'user.x'],
        });
      });
    }
  });

  describeSubject(target, 'access control lists', () => {
    const lists = python`
USER_OBJECT, USER, GROUP_OBJECT, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
def acl(*entries):
    return struct.pack('<I', 2) + b''.join(struct.pack('<HHI', kind, bits, who) for kind, bits, who in entries)
ANY = 0xffffffff
def entries(path, which='access'):
    data = os.getxattr(path, 'system.posix_acl_' + which)
    return [list(struct.unpack_from('<HHI', data, at)[:2]) for at in range(4, len(data), 8)]
`;
    if (!accessLists) {
      it('are refused', async () => {
        const program = `${lists}
make('file')
show(set=outcome(os.setxattr, 'file', 'system.posix_acl_access', acl((USER_OBJECT, 6, ANY), (GROUP_OBJECT, 4, ANY), (OTHER, 0, ANY))))
`;
        expect(await target.run(program)).toEqual({ set: 'EOPNOTSUPP' });
      });
      return;
    }

    it('move with the mode: the mask is the group bits, and a minimal list is only a mode', async () => {
      const program = `${lists}
make('file', b'', 0o640)
os.setxattr('file', 'system.posix_acl_access', acl((USER_OBJECT, 6, ANY), (USER, 6, 1000), (GROUP_OBJECT, 4, ANY), (MASK, 6, ANY), (OTHER, 0, ANY)))
first = [mode('file'), entries('file')]
os.chmod('file', 0o604)
second = [mode('file'), entries('file')]
os.removexattr('file', 'system.posix_acl_access')
third = [mode('file'), outcome(os.getxattr, 'file', 'system.posix_acl_access')]
os.setxattr('file', 'system.posix_acl_access', acl((USER_OBJECT, 7, ANY), (GROUP_OBJECT, 5, ANY), (OTHER, 1, ANY)))
show(first=first, second=second, third=third, minimal=[mode('file'), outcome(os.getxattr, 'file', 'system.posix_acl_access')],
     wrong=[outcome(os.setxattr, 'file', 'system.posix_acl_access', value) for value in (acl((USER_OBJECT, 7, ANY)), b'nonsense')],
     of_file=outcome(os.setxattr, 'file', 'system.posix_acl_default', acl((USER_OBJECT, 7, ANY), (GROUP_OBJECT, 5, ANY), (OTHER, 1, ANY))))
`;
      expect(await target.run(program)).toEqual({
        first: [
          '660',
          [
            [1, 6],
            [2, 6],
            [4, 4],
            [16, 6],
            [32, 0],
          ],
        ],
        second: [
          '604',
          [
            [1, 6],
            [2, 6],
            [4, 4],
            [16, 0],
            [32, 4],
          ],
        ],
        third: [expect.stringMatching(/^6[04]4$/), 'ENODATA'],
        minimal: ['751', 'ENODATA'],
        wrong: ['EINVAL', expect.stringMatching(/EINVAL|EOPNOTSUPP/)],
        of_file: 'EACCES',
      });
    });

    it('the default list of a directory goes on to what is made in it, in place of the umask', async () => {
      const program = `${lists}
os.umask(0o077)
os.mkdir('d')
default = acl((USER_OBJECT, 7, ANY), (USER, 7, 1000), (GROUP_OBJECT, 5, ANY), (MASK, 7, ANY), (OTHER, 0, ANY))
os.setxattr('d', 'system.posix_acl_default', default)
os.close(os.open('d/file', os.O_CREAT | os.O_WRONLY, 0o664))
os.mkdir('d/directory', 0o777)
os.mkfifo('d/fifo', 0o600)
show(modes=[mode('d/file'), mode('d/directory'), mode('d/fifo')], file=entries('d/file'), passed=os.getxattr('d/directory', 'system.posix_acl_default') == default,
     own=entries('d/directory'), none=outcome(os.getxattr, 'd/file', 'system.posix_acl_default'))
`;
      expect(await target.run(program)).toEqual({
        modes: ['660', '770', '600'],
        file: [
          [1, 6],
          [2, 7],
          [4, 5],
          [16, 6],
          [32, 0],
        ],
        passed: true,
        own: [
          [1, 7],
          [2, 7],
          [4, 5],
          [16, 7],
          [32, 0],
        ],
        none: expect.stringMatching(/ENODATA|EACCES/) as string,
      });
    });

    if (otherUsers) {
      it('let in whom they name, as far as the mask goes', async () => {
        const program = `${lists}
os.chmod('.', 0o755)
make('file', b'x', 0o600)
os.setxattr('file', 'system.posix_acl_access', acl((USER_OBJECT, 6, ANY), (USER, 6, 1000), (USER, 0, 1001), (GROUP_OBJECT, 0, ANY), (GROUP, 4, 3000), (MASK, 7, ANY), (OTHER, 0, ANY)))
tries = lambda: [opens('file', os.O_RDONLY), opens('file', os.O_WRONLY), os.access('file', os.R_OK)]
def all_try():
    return [as_user(1000, tries), as_user(1001, tries, groups=[3000]), as_user(1002, tries, groups=[3000]), as_user(1002, tries)]
show(full=all_try())
os.chmod('file', 0o640)
show(masked=all_try(), other=as_user(2000, lambda: outcome(os.setxattr, 'file', 'system.posix_acl_access', acl((USER_OBJECT, 7, ANY), (GROUP_OBJECT, 7, ANY), (OTHER, 7, ANY)))))
`;
        const reads = ['ok', 'EACCES', true];
        const nothing = ['EACCES', 'EACCES', false];
        expect(await target.run(program)).toEqual({
          full: [['ok', 'ok', true], nothing, reads, nothing],
          masked: [reads, nothing, reads, nothing],
          other: 'EPERM',
        });
      });

      it('setting one takes the set-group-ID bit from who is not in the group', async () => {
        const program = `${lists}
os.chmod('.', 0o777)
for name in ('in', 'out'):
    make(name, b'', 0o755)
    os.chown(name, 1000, 4000)
    os.chmod(name, 0o2755)
value = acl((USER_OBJECT, 7, ANY), (USER, 5, 1001), (GROUP_OBJECT, 5, ANY), (MASK, 5, ANY), (OTHER, 5, ANY))
as_user(1000, lambda: os.setxattr('in', 'system.posix_acl_access', value), gid=1000, groups=[4000])
as_user(1000, lambda: os.setxattr('out', 'system.posix_acl_access', value), gid=1000)
show(modes=[mode('in'), mode('out')])
`;
        expect(await target.run(program)).toEqual({ modes: ['2755', '755'] });
      });
    }
  });
}
