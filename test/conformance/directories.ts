/** Directories as lists of names: long ones, ones that change while they are listed, positions in them. */

import { expect, it } from 'vitest';
import { LONG_DIRECTORY } from './long-directory.js';
import { describeSubject } from './subject.js';
import { python, type Target } from './target.js';

const HELPERS = python`
def fill(path, count):
    for number in range(count):
        os.mknod('%s/%05d' % (path, number), stat.S_IFREG | 0o644)
def rest(directory, size=1000):
    """All names from the position on."""
    names = []
    while found := dirents(directory, size):
        names += [name for name, *_ in found]
    return names
def plain(names):
    return sorted(name for name in names if name not in ('.', '..'))
`;

export function describeDirectories(target: Target): void {
  describeSubject(target, 'directories', () => {
    it('ten thousand entries are each listed once, with type and number', async () => {
      const program = `${HELPERS}
path = os.path.join(mount, '${LONG_DIRECTORY.name}')
names = os.listdir(path)
entries = list(os.scandir(path))
kinds = {entry.name: (entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in entries}
numbers = all(entry.inode() == os.lstat(entry.path).st_ino for entry in entries[::100])
show(count=len(names), distinct=len(set(names)), files=sorted(names)[:-2] == ['%05d' % number for number in range(${LONG_DIRECTORY.files})], kinds=[kinds['directory'], kinds['link'], kinds['00000']], numbers=numbers if can['inodeNumbers'] else True)
directory = os.open(path, os.O_RDONLY)
small = rest(directory, 500)
show(small=len(small) == len(set(small)) == len(names) + 2, dots=sorted(set(small) - set(names)))
`;
      expect(await target.run(program, { seconds: 30 })).toEqual({
        count: LONG_DIRECTORY.files + 2,
        distinct: LONG_DIRECTORY.files + 2,
        files: true,
        kinds: [
          [true, false],
          [false, true],
          [false, false],
        ],
        numbers: true,
        small: true,
        dots: ['.', '..'],
      });
    });

    it('every position leads back to where it was taken, on any descriptor', async () => {
      const program = `${HELPERS}
os.mkdir('d')
fill('d', 700)
directory, other = os.open('d', os.O_RDONLY), os.open('d', os.O_RDONLY)
listed = []
while found := dirents(directory, 2000):
    listed += found
names = [name for name, *_ in listed]
positions = [position for _, position, *_ in listed]
right = []
for index in random.Random(1).sample(range(len(listed) - 1), 60):
    for descriptor in (directory, other):
        os.lseek(descriptor, positions[index], os.SEEK_SET)
        right.append(dirents(descriptor, 400)[0][0] == names[index + 1])
os.lseek(directory, positions[-1], os.SEEK_SET)
end = dirents(directory)
os.lseek(directory, 0, os.SEEK_SET)
show(distinct=len(set(positions)) == len(positions), right=all(right), end=end, again=rest(directory) == names)
`;
      expect(await target.run(program)).toEqual({ distinct: true, right: true, end: [], again: true });
    });

    it('the position is of the open file, which processes and descriptors share', async () => {
      const program = `${HELPERS}
os.mkdir('d')
fill('d', 300)
directory = os.open('d', os.O_RDONLY)
first = [name for name, *_ in dirents(directory, 2000)]
copy = os.dup(directory)
second = [name for name, *_ in dirents(copy, 2000)]
third = Process(lambda _: [name for name, *_ in dirents(directory, 2000)]).result()
last = rest(directory)
together = first + second + third + last
show(whole=len(together) == len(set(together)) == 302, parts=[bool(part) for part in (first, second, third, last)])
`;
      expect(await target.run(program)).toEqual({ whole: true, parts: [true, true, true, true] });
    });

    it('what is there all the time is listed once, whatever comes and goes meanwhile', async () => {
      const program = `${HELPERS}
os.mkdir('d')
fill('d', 600)
directory = os.open('d', os.O_RDONLY)
names = [name for name, *_ in dirents(directory, 3000)]
for number in range(0, 600, 3):
    os.unlink('d/%05d' % number)
    os.mknod('d/new%d' % number, stat.S_IFREG | 0o644)
for number in range(1, 600, 30):
    os.rename('d/%05d' % number, 'd/moved%d' % number)
names += rest(directory)
stay = {'%05d' % number for number in range(600) if number % 3 and number % 30 != 1}
show(once=all(names.count(name) == 1 for name in stay), twice=len(names) - len(set(names)))
os.lseek(directory, 0, os.SEEK_SET)
show(after=plain(rest(directory)) == sorted(os.listdir(os.path.join(behind, 'd'))))
`;
      expect(await target.run(program)).toEqual({ once: true, twice: 0, after: true });
    });

    it('removing what is listed, as rm -r does, leaves nothing', async () => {
      const program = `${HELPERS}
os.mkdir('d')
fill('d', 900)
directory = os.open('d', os.O_RDONLY)
removed = 0
while found := dirents(directory, 4096):
    for name, *_ in found:
        if name not in ('.', '..'):
            os.unlink('d/' + name)
            removed += 1
os.makedirs('tree/a/b/c')
for path in ('tree', 'tree/a', 'tree/a/b/c'):
    fill(path, 50)
shutil.rmtree('tree')
show(removed=removed, left=os.listdir('d'), gone=outcome(os.rmdir, 'd'), tree=os.path.exists('tree'))
`;
      expect(await target.run(program)).toEqual({ removed: 900, left: [], gone: 'ok', tree: false });
    });

    it('a directory read from the start again has what was made since', async () => {
      const program = `${HELPERS}
os.mkdir('d')
directory = os.open('d', os.O_RDONLY)
seen = []
for number in range(5):
    os.mknod('d/%d' % number, stat.S_IFREG | 0o644)
    os.lseek(directory, 0, os.SEEK_SET)
    seen.append(len(plain(rest(directory))))
os.unlink('d/0')
os.lseek(directory, 0, os.SEEK_SET)
seen.append(len(plain(rest(directory))))
# Opened before, read afterwards.
late = os.open('d', os.O_RDONLY)
os.mknod('d/late', stat.S_IFREG | 0o644)
os.rename('d/1', 'd/one')
show(seen=seen, late=plain(rest(late)))
`;
      expect(await target.run(program)).toEqual({ seen: [1, 2, 3, 4, 5, 4], late: ['2', '3', '4', 'late', 'one'] });
    });

    it('a listing never shows a renamed file neither by its old nor by its new name', async () => {
      const program = `${HELPERS}
os.mkdir('d')
fill('d', 20)
def work(process):
    for number in range(1500):
        os.rename('d/00000', 'd/other')
        os.rename('d/other', 'd/00000')
    return 'ok'
process = Process(work)
wrong = 0
listings = 0
while not process.hears(0):
    names = plain(os.listdir('d'))
    listings += 1
    wrong += len(names) not in (20, 21) or len(set(names)) != len(names)
show(result=process.result(), wrong=wrong, many=listings > 3, left=len(os.listdir('d')))
`;
      expect(await target.run(program)).toEqual({ result: 'ok', wrong: 0, many: true, left: 20 });
    });

    it('. and .. have the numbers of the directory and of the one above', async () => {
      const program = `${HELPERS}
os.makedirs('a/b')
numbers = {name: number for name, _, _, number in dirents(os.open('a/b', os.O_RDONLY))}
show(same=[os.stat('a/b/.').st_ino == os.stat('a/b').st_ino, os.stat('a/b/..').st_ino == os.stat('a').st_ino], listed=sorted(numbers))
`;
      expect(await target.run(program)).toEqual({ same: [true, true], listed: ['.', '..'] });
    });

    // Where each call walks a path, each level costs as much as all above it.
    const levels = target.can.inodes ? 200 : 40;
    it(`${levels} levels are made, walked and removed`, async () => {
      const program = `${HELPERS}
path = '/'.join(['level'] * ${levels})
os.makedirs(path)
make(path + '/file', b'deep')
show(content=read(path + '/file'), levels=sum(1 for _ in os.walk('level')))
os.chdir(path)
os.chdir('../' * ${levels})
show(back=os.listdir('.'))
shutil.rmtree('level')
show(left=os.listdir('.'))
`;
      expect(await target.run(program)).toEqual({ content: 'deep', levels, back: ['level'], left: [] });
    });
  });
}
