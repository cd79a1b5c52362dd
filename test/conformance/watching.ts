/** inotify(7): who watches a mount hears of what is done on it. */

import { expect, it } from 'vitest';
import { describeSubject } from './subject.js';
import { python, type Target } from './target.js';

export function describeWatching(target: Target): void {
  describeSubject(target, 'watching', () => {
    it('one who watches a directory hears what happens in it, in order', async () => {
      const program = python`
        os.mkdir('d')
        os.mkdir('elsewhere')
        watch = Watch('d')
        heard = {}
        def hear(what, change):
            change()
            heard[what] = watch.events()
        hear('create', lambda: os.close(os.open('d/file', os.O_CREAT | os.O_WRONLY)))
        def write():
            file = os.open('d/file', os.O_WRONLY)
            os.write(file, b'x')
            os.close(file)
        hear('write', write)
        hear('truncate', lambda: os.truncate('d/file', 0))
        hear('chmod', lambda: os.chmod('d/file', 0o600))
        hear('rename', lambda: os.rename('d/file', 'd/moved'))
        hear('away', lambda: os.rename('d/moved', 'elsewhere/moved'))
        hear('back', lambda: os.rename('elsewhere/moved', 'd/back'))
        hear('mkdir', lambda: os.mkdir('d/directory'))
        hear('symlink', lambda: os.symlink('x', 'd/link'))
        hear('link', lambda: os.link('d/back', 'd/second'))
        hear('unlink', lambda: os.unlink('d/second'))
        hear('rmdir', lambda: os.rmdir('d/directory'))
        hear('nothing', lambda: [read('d/back'), os.listdir('d'), os.stat('d/back')])
        show(**heard)
      `;
      expect(await target.run(program)).toEqual({
        create: [
          ['create', 'file'],
          ['close_write', 'file'],
        ],
        write: [
          ['modify', 'file'],
          ['close_write', 'file'],
        ],
        truncate: [['modify', 'file']],
        chmod: [['attrib', 'file']],
        rename: [
          ['moved_from', 'file'],
          ['moved_to', 'moved'],
        ],
        away: [['moved_from', 'moved']],
        back: [['moved_to', 'back']],
        mkdir: [['create', 'directory']],
        symlink: [['create', 'link']],
        link: [['create', 'second']],
        unlink: [['delete', 'second']],
        rmdir: [['delete', 'directory']],
        nothing: [],
      });
    });

    it('one who watches a file hears that it changes, moves and goes', async () => {
      const program = python`
        make('file', b'x')
        watch = Watch('file')
        heard = {}
        def hear(what, change):
            change()
            heard[what] = [event for event, _ in watch.events()]
        hear('attrib', lambda: os.setxattr('file', 'user.x', b'y'))
        hear('link', lambda: os.link('file', 'second'))
        hear('moved', lambda: os.rename('file', 'moved'))
        hear('unlinked', lambda: os.unlink('second'))
        hear('gone', lambda: os.unlink('moved'))
        show(**heard)
      `;
      expect(await target.run(program)).toEqual({
        attrib: ['attrib'],
        link: ['attrib'],
        moved: ['move_self'],
        // Else the names of a file are files of their own to the kernel.
        unlinked: target.can.inodes ? ['attrib'] : [],
        gone: ['attrib', 'delete_self', 'ignored'],
      });
    });
  });
}
