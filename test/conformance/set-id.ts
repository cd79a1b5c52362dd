/** Set-user-ID and set-group-ID bits, and file capabilities: who changes a file's content must not get its owner's power. */

import { expect, it } from 'vitest';
import { describeSubject } from './subject.js';
import { python, type Target } from './target.js';

/** Each changes the file `name`, 8192 bytes, and needs no more than permission to write it. */
const CHANGES = python`
def at(flags, change):
    def run(name):
        file = os.open(name, flags)
        change(file)
        os.close(file)
    return run
def mapped(file):
    view = mmap.mmap(file, 4096)
    view[0:1] = b'x'
    view.flush()
    view.close()
def copied(file):
    source = os.open('source', os.O_RDONLY)
    os.copy_file_range(source, file, 100)
    os.close(source)
changes = {
    'write': at(os.O_WRONLY, lambda file: os.write(file, b'x')),
    'append': at(os.O_WRONLY | os.O_APPEND, lambda file: os.write(file, b'x')),
    'pwrite': at(os.O_RDWR, lambda file: os.pwrite(file, b'x', 100)),
    'vector': at(os.O_RDWR, lambda file: os.writev(file, [b'x', b'y'])),
    'truncate': lambda name: os.truncate(name, 10),
    'ftruncate': at(os.O_WRONLY, lambda file: os.ftruncate(file, 10)),
    'longer': lambda name: os.truncate(name, 20000),
    'open': at(os.O_WRONLY | os.O_TRUNC, lambda file: None),
    'create': at(os.O_WRONLY | os.O_CREAT | os.O_TRUNC, lambda file: None),
    'copy': at(os.O_WRONLY, copied),
    'sendfile': at(os.O_WRONLY, lambda file: os.sendfile(file, os.open('source', os.O_RDONLY), 0, 10)),
}
if can['allocation']:
    changes.update({
        'allocate': at(os.O_WRONLY, lambda file: fallocate(file, 0, 0, 16384)),
        'punch': at(os.O_WRONLY, lambda file: fallocate(file, PUNCH_HOLE | KEEP_SIZE, 0, 4096)),
        'zero': at(os.O_WRONLY, lambda file: fallocate(file, ZERO_RANGE, 0, 4096)),
    })
make('source', b's' * 4096, 0o644)
os.chmod('.', 0o777)
def prepared(kind, bits):
    make(kind, b'.' * 8192)
    os.chown(kind, 1000, 1000)
    os.chmod(kind, bits)
    return kind
`;

export function describeSetId(target: Target): void {
  if (!target.can.otherUsers) return;
  const { allocation } = target.can;
  const kinds = ['write', 'append', 'pwrite', 'vector', 'truncate', 'ftruncate', 'longer', 'open', 'create', 'copy', 'sendfile'];
  if (allocation) kinds.push('allocate', 'punch', 'zero');
  const each = (value: string): Record<string, string> => Object.fromEntries(kinds.map((kind) => [kind, value]));

  describeSubject(target, 'set-ID bits', () => {
    it('another user who changes the content takes both bits away', async () => {
      const program = `${CHANGES}
for kind in changes:
    prepared(kind, 0o6777)
as_user(2000, lambda: [changes[kind](kind) for kind in changes] and 'ok')
show(modes={kind: mode(kind) for kind in changes})
`;
      expect(await target.run(program)).toEqual({ modes: each('777') });
    });

    it('so does the owner', async () => {
      const program = `${CHANGES}
for kind in changes:
    prepared(kind, 0o6755)
as_user(1000, lambda: [changes[kind](kind) for kind in changes] and 'ok')
show(modes={kind: mode(kind) for kind in changes})
`;
      expect(await target.run(program)).toEqual({ modes: each('755') });
    });

    it('root keeps them', async () => {
      const program = `${CHANGES}
for kind in changes:
    prepared(kind, 0o6777)
    changes[kind](kind)
show(modes={kind: mode(kind) for kind in changes})
`;
      expect(await target.run(program)).toEqual({ modes: each('6777') });
    });

    it('a descriptor that was open before the bits came takes them away, too', async () => {
      const program = `${CHANGES}
def work(process):
    files = {kind: os.open(kind, os.O_RDWR) for kind in names}
    process.say('open')
    process.hear()
    os.write(files['plain'], b'x')
    os.ftruncate(files['truncated'], 5)
    os.pwrite(files['positioned'], b'x', 5000)
    return {kind: mode(kind) for kind in names}
names = ('plain', 'truncated', 'positioned')
for kind in names:
    prepared(kind, 0o777)
process = Process(work, 2000)
process.hear()
for kind in names:
    os.chmod(kind, 0o6777)
process.say('changed')
show(seen=process.result(), real={kind: mode(os.path.join(behind, kind)) for kind in names})
as_user(2000, lambda: changes['pwrite']('plain'))
show(anew=mode('plain'))
`;
      const modes = { plain: '777', truncated: '777', positioned: '777' };
      expect(await target.run(program)).toEqual({ seen: modes, real: modes, anew: '777' });
    });

    it('giving a file away takes them away, also when root does it; a directory keeps them', async () => {
      const program = python`
        os.chmod('.', 0o777)
        for name in ('a', 'b', 'c'):
            make(name, b'', 0o755)
            os.chown(name, 1000, 1000)
            os.chmod(name, 0o6755)
        os.mkdir('directory')
        os.chown('directory', 1000, 1000)
        os.chmod('directory', 0o6755)
        os.chown('a', 0, 0)
        as_user(1000, lambda: [os.chown('b', -1, 1001), os.chown('c', 1000, -1)] and 'ok', groups=[1001])
        os.chown('directory', 0, 0)
        show(modes=[mode(name) for name in ('a', 'b', 'c', 'directory')], owners=[owner(name) for name in ('a', 'b', 'directory')])
      `;
      expect(await target.run(program)).toEqual({
        modes: ['755', '755', '755', '6755'],
        owners: [
          [0, 0],
          [1000, 1001],
          [0, 0],
        ],
      });
    });

    it('reading, renaming, linking and new times leave them', async () => {
      const program = python`
        os.chmod('.', 0o777)
        make('file', b'content', 0o755)
        os.chown('file', 1000, 1000)
        os.chmod('file', 0o6755)
        as_user(1000, lambda: [read('file'), os.utime('file'), os.link('file', 'second'), os.rename('file', 'third'), os.setxattr('third', 'user.x', b'y')] and 'ok')
        show(modes=[mode('second'), mode('third')])
      `;
      expect(await target.run(program)).toEqual({ modes: ['6755', '6755'] });
    });

    it('writing takes the capabilities of a program away', async () => {
      const program = `${CHANGES}
# VFS_CAP_REVISION_2 with cap_net_raw.
capabilities = struct.pack('<IIIII', 0x02000001, 1 << 13, 0, 0, 0)
for kind in changes:
    prepared(kind, 0o777)
    os.setxattr(kind, 'security.capability', capabilities)
kept = os.getxattr('write', 'security.capability') == capabilities
as_user(2000, lambda: [changes[kind](kind) for kind in changes] and 'ok')
show(kept=kept, left={kind: outcome(os.getxattr, kind, 'security.capability') for kind in changes})
`;
      expect(await target.run(program)).toEqual({ kept: true, left: each('ENODATA') });
    });
  });
}
