/** Many processes at one thing. */

import { expect, it } from 'vitest';
import { describeSubject } from './subject.js';
import { python, type Target } from './target.js';

const HELPERS = python`
def all_at_once(count, work):
    """What work(number) returns in each of so many processes that begin together."""
    def run(number):
        def begin(process):
            process.say('ready')
            process.hear()
            return work(number)
        return begin
    processes = [Process(run(number)) for number in range(count)]
    for process in processes:
        process.hear()
    for process in processes:
        process.say('go')
    return [process.result(20) for process in processes]
`;

export function describeRaces(target: Target): void {
  describeSubject(target, 'races', () => {
    it('of many who create, link, make or move without replacing, exactly one wins each time', async () => {
      const program = `${HELPERS}
CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY
ROUNDS = 25
for number in range(6):
    make('source%d' % number)
def tries(number):
    results = []
    for turn in range(ROUNDS):
        results.append([
            opens('created%d' % turn, CREATE),
            outcome(os.mkdir, 'made%d' % turn),
            outcome(os.link, 'source%d' % number, 'linked%d' % turn),
            outcome(os.symlink, str(number), 'symbolic%d' % turn),
        ])
    return results
found = all_at_once(6, tries)
winners = {tuple(sum(one[turn][kind] == 'ok' for one in found) for kind in range(4)) for turn in range(ROUNDS)}
losers = {result for one in found for turn in one for result in turn} - {'ok'}
show(winners=sorted(winners), losers=losers, listed=len(os.listdir('.')))
`;
      expect(await target.run(program)).toEqual({ winners: [[1, 1, 1, 1]], losers: ['EEXIST'], listed: 6 + 4 * 25 });
    });

    it('one removal of many succeeds', async () => {
      const program = `${HELPERS}
for number in range(40):
    make('file%d' % number)
    os.mkdir('directory%d' % number)
found = all_at_once(5, lambda _: [[outcome(os.unlink, 'file%d' % number), outcome(os.rmdir, 'directory%d' % number)] for number in range(40)])
show(winners=sorted({sum(one[number][kind] == 'ok' for one in found) for number in range(40) for kind in (0, 1)}), losers={result for one in found for pair in one for result in pair} - {'ok'}, left=os.listdir('.'))
`;
      expect(await target.run(program)).toEqual({ winners: [1], losers: ['ENOENT'], left: [] });
    });

    it('what many append is all there, and nothing is torn', async () => {
      const program = `${HELPERS}
make('log')
def append(number):
    file = os.open('log', os.O_WRONLY | os.O_APPEND)
    for turn in range(100):
        os.write(file, (b'%d:%d:' % (number, turn)).ljust(101 + 50 * number, b'.') + b'\\n')
    return 'ok'
all_at_once(5, append)
lines = read('log').split(b'\\n')
right = all(len(line) == 101 + 50 * int(line.split(b':')[0]) for line in lines[:-1])
order = all([int(line.split(b':')[1]) for line in lines[:-1] if line.startswith(b'%d:' % number)] == list(range(100)) for number in range(5))
show(count=len(lines) - 1, right=right, order=order, size=os.stat('log').st_size == os.stat(os.path.join(behind, 'log')).st_size)
`;
      expect(await target.run(program)).toEqual({ count: 500, right: true, order: true, size: true });
    });

    it('mkdir -p of many in one place works for all', async () => {
      const program = `${HELPERS}
def work(number):
    return [subprocess.run(['mkdir', '-p', 'a/b/c/%d/d' % (turn % 3)]).returncode for turn in range(4)] + [os.makedirs('x/y/%d/z' % (turn % 7), exist_ok=True) for turn in range(20)]
results = all_at_once(5, work)
show(results={value for one in results for value in one if value is not None}, made=[sorted(os.listdir('a/b/c')), len(os.listdir('x/y'))])
`;
      expect(await target.run(program)).toEqual({ results: [0], made: [['0', '1', '2'], 7] });
    });

    it('a file that is replaced again and again is always there, and whole', async () => {
      const program = `${HELPERS}
make('file', b'0' * 5000)
def work(number):
    if number > 1:
        seen = set()
        for _ in range(200):
            try:
                content = read('file')
            except FileNotFoundError:
                # A path that was taken to a file by its name, which another has by now.
                if can['inodes']:
                    raise
                continue
            seen.add((len(content), len(set(content))))
        return sorted(seen)
    for turn in range(150):
        name = 'new%d' % number
        make(name, b'%d' % (turn % 10) * 5000)
        os.rename(name, 'file')
    return 'ok'
show(results=all_at_once(4, work), left=os.listdir('.'))
`;
      expect(await target.run(program)).toEqual({ results: ['ok', 'ok', [[5000, 1]], [[5000, 1]]], left: ['file'] });
    });

    it('names that come and go in many hands leave what they should', async () => {
      const program = `${HELPERS}
ALLOWED = {'ok', 'ENOENT', 'EEXIST', 'ENOTEMPTY', 'EISDIR', 'ENOTDIR', 'EINVAL', 'EPERM'}
def work(number):
    chance = random.Random(number)
    strange = set()
    for _ in range(250):
        one, two = (chance.choice('abcd') + chance.choice(('', '/x', '/y')) for _ in range(2))
        result = chance.choice((
            lambda: opens(one, os.O_CREAT | os.O_WRONLY), lambda: outcome(os.mkdir, one), lambda: outcome(os.rename, one, two), lambda: outcome(os.unlink, one), lambda: outcome(os.rmdir, one),
            lambda: outcome(os.link, one, two), lambda: 'ok' if outcome(os.listdir, one) else 'ok', lambda: 'ok' if outcome(os.stat, one) else 'ok', lambda: 'ok' if outcome(read, one) is not None else 'ok',
        ))()
        if result not in ALLOWED:
            strange.add(result)
    return sorted(strange)
show(strange=all_at_once(5, work), same=sorted(os.listdir('.')) == sorted(os.listdir(behind)))
`;
      expect(await target.run(program)).toEqual({ strange: [[], [], [], [], []], same: true });
    });

    it('threads of one process, each with its own file, do not disturb each other', async () => {
      const program = `${HELPERS}
wrong = []
def work(number):
    for turn in range(30):
        name = 'f%d-%d' % (number, turn)
        content = b'%d' % number * (1000 + turn)
        make(name, content)
        if read(name) != content:
            wrong.append(name)
        if turn % 2:
            os.unlink(name)
threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
show(wrong=wrong, left=len(os.listdir('.')))
`;
      expect(await target.run(program)).toEqual({ wrong: [], left: 120 });
    });
  });
}
