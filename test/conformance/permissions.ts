/** Who may do what, and to whom what is made belongs. */

import { expect, it } from 'vitest';
import { isSuperuser } from '../support/privileges.js';
import { describeSubject } from './subject.js';
import { python, type Target } from './target.js';

export function describePermissions(target: Target): void {
  describeSubject(target, 'permissions', () => {
    it('the umask takes bits away, and chmod sets them all', async () => {
      const program = python`
        made = []
        for mask in (0, 0o022, 0o077, 0o777):
            os.umask(mask)
            names = [kind + format(mask, 'o') for kind in 'fdpn']
            os.close(os.open(names[0], os.O_CREAT | os.O_WRONLY, 0o666))
            os.mkdir(names[1], 0o777)
            os.mkfifo(names[2], 0o666)
            os.mknod(names[3], stat.S_IFREG | 0o640)
            made.append([mode(name) for name in names])
        for name in ('d777', 'd77'):
            os.chmod(name, 0o755)
        os.umask(0o077)
        make('file', b'x', 0o644)
        changed = []
        for bits in (0, 0o7777, 0o4711, 0o1755, 0o644):
            os.chmod('file', bits)
            changed.append(mode('file'))
        os.mkdir('directory')
        for bits in (0o1777, 0o2755, 0o700):
            os.chmod('directory', bits)
            changed.append(mode('directory'))
        descriptor = os.open('file', os.O_RDONLY)
        os.fchmod(descriptor, 0o600)
        show(made=made, changed=changed, by_descriptor=mode('file'), missing=outcome(os.chmod, 'none', 0))
      `;
      expect(await target.run(program)).toEqual({
        made: [
          ['666', '777', '666', '640'],
          ['644', '755', '644', '640'],
          ['600', '700', '600', '600'],
          ['0', '0', '0', '0'],
        ],
        changed: ['0', '7777', '4711', '1755', '644', '1777', '2755', '700'],
        by_descriptor: '600',
        missing: 'ENOENT',
      });
    });

    it('a file made without permissions is usable by the one who made it, and only so', async () => {
      const program = python`
        def work():
            file = os.open('file', os.O_CREAT | os.O_EXCL | os.O_RDWR, 0)
            os.write(file, b'content')
            return [os.pread(file, 9, 0), mode('file'), opens('file', os.O_RDONLY), outcome(os.access, 'file', os.R_OK)]
        os.chmod('.', 0o777)
        show(work=as_user(1000, work) if can['otherUsers'] else work())
      `;
      expect(await target.run(program)).toEqual({
        work: ['content', '0', target.can.callerOwnership ? 'EACCES' : expect.anything(), false],
      });
    });

    it('an open file stays usable whatever becomes of its permissions', async () => {
      const program = python`
        make('file', b'content')
        file = os.open('file', os.O_RDWR)
        os.chmod('file', 0)
        os.pwrite(file, b'C', 0)
        os.ftruncate(file, 4)
        show(content=os.pread(file, 9, 0), mode=mode(file))
      `;
      expect(await target.run(program)).toEqual({ content: 'Cont', mode: '0' });
    });

    it('a descriptor opened for reading does not write, one for writing does not read', async () => {
      const program = python`
        make('file', b'content')
        reading, writing, path = (os.open('file', flags) for flags in (os.O_RDONLY, os.O_WRONLY, os.O_PATH))
        show(
            reading=[outcome(os.write, reading, b'x'), outcome(os.ftruncate, reading, 0)],
            writing=outcome(os.read, writing, 1),
            path=[outcome(os.read, path, 1), outcome(os.fchmod, path, 0), os.fstat(path).st_size],
            directory=[outcome(os.read, os.open('.', os.O_RDONLY), 1), opens('.', os.O_WRONLY), opens('.', os.O_RDONLY | os.O_TRUNC)],
        )
      `;
      expect(await target.run(program)).toEqual({
        reading: ['EBADF', 'EINVAL'],
        writing: 'EBADF',
        path: ['EBADF', 'EBADF', 7],
        directory: ['EISDIR', 'EISDIR', 'EISDIR'],
      });
    });

    it('a program on it runs, and is ETXTBSY for writing meanwhile', async () => {
      const program = python`
        shutil.copy('/bin/sleep', 'program')
        make('script', b'#!/bin/sh\necho said\n', 0o755)
        make('plain', b'#!/bin/sh\n', 0o644)
        running = subprocess.Popen(['./program', '60'])
        time.sleep(0.1)
        busy = opens('program', os.O_WRONLY)
        running.kill()
        running.wait()
        show(busy=busy, free=opens('program', os.O_WRONLY), said=subprocess.run(['./script'], stdout=subprocess.PIPE).stdout, plain=outcome(subprocess.run, ['./plain']))
      `;
      expect(await target.run(program)).toEqual({ busy: 'ETXTBSY', free: 'ok', said: 'said\n', plain: 'EACCES' });
    });

    if (!target.can.otherUsers) {
      if (isSuperuser())
        it('another user, even root, does not look into the mount of an ordinary user', async () => {
          const program = python`
          show(listed=outcome(os.listdir, mount), named=outcome(os.stat, mount + '/permissions'))
        `;
          expect(await target.runInRoot(program, { privileged: true })).toEqual({ listed: 'EACCES', named: 'EACCES' });
        });

      it('an ordinary user gives nothing away', async () => {
        const program = python`
          make('file')
          os.mkdir('directory')
          show(changed=[outcome(os.chown, name, 1, -1) for name in ('file', 'directory')], own=outcome(os.chown, 'file', os.getuid(), os.getgid()),
               owners={tuple(owner(name)) == (os.getuid(), os.getgid()) for name in ('file', 'directory', '.')})
        `;
        expect(await target.run(program)).toEqual({ changed: ['EPERM', 'EPERM'], own: 'ok', owners: [true] });
      });
      return;
    }

    it('what is made belongs to the one who makes it', async () => {
      const program = python`
        os.chmod('.', 0o777)
        def work():
            opens('file', os.O_CREAT | os.O_WRONLY)
            os.mkdir('directory')
            os.mkfifo('fifo')
            os.symlink('x', 'link')
            os.mknod('node', stat.S_IFREG | 0o600)
            socket.socket(socket.AF_UNIX).bind('socket')
            # Only the owner links (fs.protected_hardlinks).
            return outcome(os.link, 'file', 'second')
        linked = as_user(1000, work, gid=1001, groups=[1002])
        show(linked=linked, owners=[owner(name) for name in sorted(os.listdir('.'))])
      `;
      const expected = target.can.callerOwnership ? [1000, 1001] : [0, 0];
      const { callerOwnership } = target.can;
      expect(await target.run(program)).toEqual({
        linked: callerOwnership ? 'ok' : 'EPERM',
        owners: Array<number[]>(callerOwnership ? 7 : 6).fill(expected),
      });
    });

    it('owner, group, supplementary group and the others each have their bits', async () => {
      const program = python`
        os.chmod('.', 0o755)
        for name, bits in (('owner', 0o400), ('group', 0o040), ('others', 0o004), ('all', 0o444), ('none', 0)):
            make(name, b'x', bits)
            os.chown(name, 1000, 1001)
        names = ('owner', 'group', 'others', 'all', 'none')
        def tries():
            return [[opens(name, os.O_RDONLY), os.access(name, os.R_OK)] for name in names] + [opens('all', os.O_WRONLY)]
        show(
            owner=as_user(1000, tries, gid=7),
            group=as_user(2000, tries, gid=1001),
            supplementary=as_user(2000, tries, gid=7, groups=[8, 1001]),
            others=as_user(2000, tries, gid=7),
            root=[opens(name, os.O_RDWR) for name in names],
        )
      `;
      const yes = ['ok', true];
      const no = ['EACCES', false];
      expect(await target.run(program)).toEqual({
        owner: [yes, no, no, yes, no, 'EACCES'],
        group: [no, yes, no, yes, no, 'EACCES'],
        supplementary: [no, yes, no, yes, no, 'EACCES'],
        others: [no, no, yes, yes, no, 'EACCES'],
        root: ['ok', 'ok', 'ok', 'ok', 'ok'],
      });
    });

    it('a directory is searched with x, listed with r, and changed with w and x', async () => {
      const program = python`
        os.chmod('.', 0o755)
        for bits in (0o1, 0o4, 0o5, 0o2, 0o3, 0o7):
            name = str(bits)
            os.mkdir(name)
            make(name + '/file', b'x')
            os.mkdir(name + '/inner')
            os.chmod(name, 0o700 | bits)
        def tries():
            results = {}
            for bits in '145237':
                results[bits] = [outcome(os.listdir, bits) if bits in '12' else len(os.listdir(bits)), outcome(lambda: os.stat(bits + '/file').st_size), opens(bits + '/new', os.O_CREAT | os.O_WRONLY),
                    outcome(os.mkdir, bits + '/made'), outcome(os.rename, bits + '/file', bits + '/moved'), outcome(os.rmdir, bits + '/inner')] if bits not in '3' else [outcome(os.listdir, bits), outcome(os.unlink, bits + '/file')]
            return results
        show(tries=as_user(1000, tries))
      `;
      const no = Array<string>(5).fill('EACCES');
      expect(await target.run(program)).toEqual({
        tries: {
          1: ['EACCES', 1, 'EACCES', 'EACCES', 'EACCES', 'EACCES'],
          4: [2, ...no],
          5: [2, 1, 'EACCES', 'EACCES', 'EACCES', 'EACCES'],
          2: ['EACCES', ...no],
          3: ['EACCES', 'ok'],
          7: [2, 1, 'ok', 'ok', 'ok', 'ok'],
        },
      });
    });

    it('only the owner changes modes and gives groups, only root gives files away', async () => {
      const program = python`
        os.chmod('.', 0o777)
        make('file', b'', 0o666)
        os.chown('file', 1000, 1001)
        def owner_tries():
            return [outcome(os.chmod, 'file', 0o640), outcome(os.chown, 'file', -1, 1002), outcome(os.chown, 'file', -1, 1003), outcome(os.chown, 'file', 2000, -1), outcome(os.chown, 'file', 1000, -1)]
        def other_tries():
            return [outcome(os.chmod, 'file', 0o777), outcome(os.chown, 'file', 2000, -1), outcome(os.chown, 'file', -1, 1002), outcome(os.setxattr, 'file', 'user.x', b'')]
        show(owner=as_user(1000, owner_tries, gid=1001, groups=[1002]), other=as_user(2000, other_tries, gid=1002), left=[owner('file'), mode('file')])
        os.chown('file', 5, 6)
        os.symlink('file', 'link')
        os.lchown('link', 7, 8)
        show(given=[owner('file'), owner('link')], kept=[outcome(os.chown, 'file', -1, -1), owner('file')])
        os.chown('file', 4294967294, 4294967294)
        show(large=owner('file'))
      `;
      expect(await target.run(program)).toEqual({
        owner: ['ok', 'ok', 'EPERM', 'EPERM', 'ok'],
        other: ['EPERM', 'EPERM', 'EPERM', 'EACCES'],
        left: [[1000, 1002], '640'],
        given: [
          [5, 6],
          [7, 8],
        ],
        kept: ['ok', [5, 6]],
        large: [4294967294, 4294967294],
      });
    });

    it('in a sticky directory only the owner of a name, of the directory, and root remove or move it', async () => {
      const program = python`
        os.mkdir('sticky')
        os.chown('sticky', 500, 500)
        os.chmod('sticky', 0o1777)
        for number in range(4):
            make('sticky/%d' % number, b'')
            os.chown('sticky/%d' % number, 1000, 1000)
            os.mkdir('sticky/d%d' % number)
            os.chown('sticky/d%d' % number, 1000, 1000)
        def others():
            opens('sticky/own', os.O_CREAT | os.O_WRONLY)
            return [outcome(os.unlink, 'sticky/0'), outcome(os.rename, 'sticky/0', 'sticky/x'), outcome(os.rename, 'sticky/own', 'sticky/0'), outcome(os.rmdir, 'sticky/d0'), outcome(os.rename, 'sticky/d0', 'sticky/x'), outcome(os.unlink, 'sticky/own')]
        show(
            others=as_user(2000, others),
            owner=as_user(1000, lambda: [outcome(os.unlink, 'sticky/0'), outcome(os.rename, 'sticky/d0', 'sticky/d9'), outcome(os.rmdir, 'sticky/d9')]),
            of_directory=as_user(500, lambda: [outcome(os.unlink, 'sticky/1'), outcome(os.rmdir, 'sticky/d1')]),
            root=[outcome(os.unlink, 'sticky/2'), outcome(os.rmdir, 'sticky/d2')],
        )
      `;
      expect(await target.run(program)).toEqual({
        others: ['EPERM', 'EPERM', 'EPERM', 'EPERM', 'EPERM', target.can.callerOwnership ? 'ok' : 'EPERM'],
        owner: ['ok', 'ok', 'ok'],
        of_directory: ['ok', 'ok'],
        root: ['ok', 'ok'],
      });
    });

    it('in a set-group-ID directory all that is made has its group, and directories the bit', async () => {
      const program = python`
        os.mkdir('shared')
        os.chown('shared', 0, 3000)
        os.chmod('shared', 0o2777)
        def work():
            opens('shared/file', os.O_CREAT | os.O_WRONLY, 0o644)
            os.mkdir('shared/directory', 0o755)
            if can['callerOwnership']:
                os.mkdir('shared/directory/deeper', 0o700)
            os.mkfifo('shared/fifo')
            os.symlink('x', 'shared/link')
            # A program that is made with the bit, by one who is not in that group, loses it.
            os.close(os.open('shared/program', os.O_CREAT | os.O_WRONLY, 0o2775))
            return 'ok'
        as_user(1000, work)
        show(groups={owner('shared/' + name)[1] for name in os.listdir('shared')},
             modes=[mode('shared/' + name) for name in ('file', 'directory', 'program')], deeper=mode('shared/directory/deeper') if can['callerOwnership'] else '2700')
      `;
      expect(await target.run(program)).toEqual({ groups: [3000], modes: ['644', '2755', '755'], deeper: '2700' });
    });

    it('a set-group-ID bit is not given to files of a group that one is not in', async () => {
      const program = python`
        os.chmod('.', 0o777)
        for name in ('in', 'out'):
            make(name, b'', 0o755)
        os.chown('in', 1000, 1001)
        os.chown('out', 1000, 5555)
        as_user(1000, lambda: [os.chmod('in', 0o2755), os.chmod('out', 0o6755)], gid=1000, groups=[1001])
        show(modes=[mode('in'), mode('out')])
      `;
      expect(await target.run(program)).toEqual({ modes: ['2755', '4755'] });
    });

    it('set-user-ID programs run as their owner', async () => {
      const program = python`
        shutil.copy('/usr/bin/id', 'id')
        os.chown('id', 1234, 1235)
        os.chmod('id', 0o6755)
        run = lambda option: subprocess.run(['./id', option], stdout=subprocess.PIPE).stdout.strip()
        show(ids=as_user(1000, lambda: [run('-u'), run('-ru'), run('-g')]))
      `;
      expect(await target.run(program)).toEqual({ ids: ['1234', '1000', '1235'] });
    });
  });
}
