/** Locks of fcntl(2) and flock(2) between processes. */

import { expect, it } from 'vitest';
import { describeSubject } from './subject.js';
import { python, type Target } from './target.js';

const HELPERS = python`
READ, WRITE, NONE = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK
def take(kind, start=0, length=0, command=fcntl.F_SETLK):
    return outcome(lock_record, file, kind, start, length, command)
def elsewhere(work):
    """What another process, which opens the file anew, gets."""
    def run(process):
        global file
        file = os.open('file', os.O_RDWR)
        return work()
    return Process(run).result()
make('file', b'content')
file = os.open('file', os.O_RDWR)
`;

export function describeLocks(target: Target): void {
  describeSubject(target, 'locks', () => {
    it('record locks exclude each other byte by byte, and are seen', async () => {
      const program = `${HELPERS}
show(own=[take(WRITE, 10, 10), take(READ, 100, 50), take(WRITE, 12, 2)])
def other():
    return [take(WRITE, 0, 10), take(WRITE, 20, 10), take(READ, 19, 1), take(WRITE, 120, 1), take(READ, 120, 1), find_lock(file, WRITE, 0, 0)[:3], find_lock(file, WRITE, 5, 5)[0], find_lock(file, READ, 100, 10)[0], find_lock(file, WRITE, 15, 1)[3] == os.getppid()]
show(other=elsewhere(other), self=find_lock(file, WRITE)[0])
take(NONE, 12, 4)
show(split=elsewhere(lambda: [take(WRITE, 10, 2), take(WRITE, 12, 4), take(WRITE, 16, 1)]))
take(READ, 0, 0)
show(weaker=elsewhere(lambda: [take(READ, 10, 2), take(WRITE, 1000, 1)]))
take(NONE)
show(free=elsewhere(lambda: [take(WRITE), find_lock(file, WRITE)[0]]))
`;
      expect(await target.run(program)).toEqual({
        own: ['ok', 'ok', 'ok'],
        other: ['ok', 'ok', 'EAGAIN', 'EAGAIN', 'ok', ['write', 10, 10], 'none', 'none', true],
        self: 'none',
        split: ['EAGAIN', 'ok', 'EAGAIN'],
        weaker: ['ok', 'EAGAIN'],
        free: ['ok', 'none'],
      });
    });

    it('what cannot be locked says why', async () => {
      const program = `${HELPERS}
reading, writing = os.open('file', os.O_RDONLY), os.open('file', os.O_WRONLY)
show(
    mode=[outcome(lock_record, reading, WRITE), outcome(lock_record, writing, READ), outcome(lock_record, reading, READ, 5, 1), outcome(lock_record, writing, WRITE, 6, 1)],
    range=[take(WRITE, -1, 1), take(WRITE, 0, -1), take(WRITE, 100, -10), take(WRITE, 2**63 - 1, 1)],
    kind=outcome(lock_record, file, 9),
)
`;
      expect(await target.run(program)).toEqual({
        mode: ['EBADF', 'EBADF', 'ok', 'ok'],
        range: ['EINVAL', 'EINVAL', 'ok', 'ok'],
        kind: 'EINVAL',
      });
    });

    it('record locks go with any descriptor of the file that the process closes, not with a fork', async () => {
      const program = `${HELPERS}
take(WRITE)
child = Process(lambda _: [take(WRITE), find_lock(file, WRITE)[0]]).result()
held = elsewhere(lambda: take(READ))
os.close(os.open('file', os.O_RDONLY))
show(child=child, held=held, after=elsewhere(lambda: take(WRITE)))
`;
      expect(await target.run(program)).toEqual({ child: ['EAGAIN', 'write'], held: 'EAGAIN', after: 'ok' });
    });

    it('one that waits gets the lock when it is free, and the locks of a killed process are free', async () => {
      const program = `${HELPERS}
def hold(process):
    own = os.open('file', os.O_RDWR)
    lock_record(own, WRITE)
    process.say('held')
    process.hear()
    lock_record(own, NONE)
    process.say('released')
    process.hear()
def wait(process):
    own = os.open('file', os.O_RDWR)
    process.say('waiting')
    lock_record(own, WRITE, 0, 0, fcntl.F_SETLKW)
    process.say('got')
    process.hear()
holder = Process(hold)
holder.hear()
waiter = Process(wait)
waiter.hear()
before = waiter.hears(0.15)
holder.say('release')
got = waiter.hear(5)
taken = take(WRITE)
second = Process(wait)
second.hear()
early = second.hears(0.1)
waiter.kill()
show(before=before, got=got, taken=taken, early=early, after_kill=second.hear(5))
second.kill()
second.wait()
show(free=take(WRITE))
`;
      expect(await target.run(program)).toEqual({
        before: false,
        got: 'got',
        taken: 'EAGAIN',
        early: false,
        after_kill: 'got',
        free: 'ok',
      });
    });

    it('a signal ends the wait for a lock with EINTR, and the lock is not taken later', async () => {
      const program = `${HELPERS}
class Interrupted(Exception):
    pass
def interrupt(*_):
    raise Interrupted()
def wait_for(call):
    def wait(process):
        own = os.open('file', os.O_RDWR)
        signal.signal(signal.SIGUSR1, interrupt)
        process.say('waiting')
        started = time.monotonic()
        try:
            call(own)
        except Interrupted:
            process.say('interrupted')
            process.hear()
            return time.monotonic() - started < 5
    process = Process(wait)
    process.hear()
    time.sleep(0.1)
    process.kill(signal.SIGUSR1)
    said = process.hear(5)
    return process, said
results = []
for hold, free, call in (
    (lambda: lock_record(file, WRITE), lambda: lock_record(file, NONE), lambda own: lock_record(own, WRITE, 0, 0, fcntl.F_SETLKW)),
    (lambda: fcntl.flock(file, fcntl.LOCK_EX), lambda: fcntl.flock(file, fcntl.LOCK_UN), lambda own: fcntl.flock(own, fcntl.LOCK_EX)),
):
    hold()
    process, said = wait_for(call)
    free()
    # The one that was interrupted has it not.
    other = elsewhere(lambda: [take(WRITE), outcome(fcntl.flock, file, fcntl.LOCK_EX | fcntl.LOCK_NB)])
    process.say('end')
    results.append([said, other, process.result()])
show(results=results)
`;
      expect(await target.run(program)).toEqual({
        results: [
          ['interrupted', ['ok', 'ok'], true],
          ['interrupted', ['ok', 'ok'], true],
        ],
      });
    });

    it('two that wait for each other: one gets EDEADLK', async () => {
      const program = `${HELPERS}
lock_record(file, WRITE, 0, 1)
def other(process):
    own = os.open('file', os.O_RDWR)
    lock_record(own, WRITE, 1, 1)
    process.say('held')
    lock_record(own, WRITE, 0, 1, fcntl.F_SETLKW)
    return 'got'
process = Process(other)
process.hear()
time.sleep(0.15)
deadlock = take(WRITE, 1, 1, fcntl.F_SETLKW)
take(NONE, 0, 1)
show(deadlock=deadlock, other=process.result())
`;
      expect(await target.run(program)).toEqual({ deadlock: 'EDEADLK', other: 'got' });
    });

    it('flock: many readers or one writer, for each open file, until its last descriptor is closed', async () => {
      const program = `${HELPERS}
SH, EX, UN, NB = fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_UN, fcntl.LOCK_NB
def try_lock(descriptor, kind):
    return outcome(fcntl.flock, descriptor, kind | NB)
second = os.open('file', os.O_RDONLY)
shared = [try_lock(file, SH), try_lock(second, SH), try_lock(file, EX)]
fcntl.flock(second, UN)
upgraded = [try_lock(file, EX), try_lock(second, SH), elsewhere(lambda: try_lock(file, SH))]
copy = os.dup(file)
os.close(file)
still = try_lock(second, SH)
child = Process(lambda process: process.hear())
os.close(copy)
in_child = try_lock(second, SH)
child.say('end')
child.result()
show(shared=shared, upgraded=upgraded, still=still, in_child=in_child, closed=try_lock(second, EX))
# Record locks and flocks do not see each other.
file = os.open('file', os.O_RDWR)
show(apart=[take(WRITE), elsewhere(lambda: [take(WRITE), try_lock(file, EX)])])
`;
      expect(await target.run(program)).toEqual({
        shared: ['ok', 'ok', 'EAGAIN'],
        upgraded: ['ok', 'EAGAIN', 'EAGAIN'],
        still: 'EAGAIN',
        in_child: 'EAGAIN',
        closed: 'ok',
        apart: ['ok', ['EAGAIN', 'EAGAIN']],
      });
    });

    it('flock waits, and gets the lock of a killed process', async () => {
      const program = `${HELPERS}
def hold(process):
    own = os.open('file', os.O_RDONLY)
    fcntl.flock(own, fcntl.LOCK_EX)
    process.say('held')
    process.hear()
def wait(process):
    own = os.open('file', os.O_RDONLY)
    process.say('waiting')
    fcntl.flock(own, fcntl.LOCK_EX)
    return 'got'
holder = Process(hold)
holder.hear()
waiter = Process(wait)
waiter.hear()
early = waiter.hears(0.1)
holder.kill()
show(early=early, got=waiter.result(5))
`;
      expect(await target.run(program)).toEqual({ early: false, got: 'got' });
    });

    it('locks of open files (F_OFD_SETLK) exclude each other within a process, too', async () => {
      const program = `${HELPERS}
second = os.open('file', os.O_RDWR)
def take_open(descriptor, kind, start=0, length=0):
    return outcome(lock_record, descriptor, kind, start, length, OFD_SETLK)
show(first=take_open(file, WRITE, 0, 10), second=[take_open(second, WRITE, 5, 1), take_open(second, READ, 0, 1), take_open(second, WRITE, 10, 5)],
     seen=find_lock(second, WRITE, 0, 0, OFD_GETLK)[:3], process=[take(WRITE, 0, 1), elsewhere(lambda: take(WRITE, 0, 1))])
take_open(file, NONE)
show(free=take_open(second, WRITE))
os.close(file)
os.close(second)
show(closed=elsewhere(lambda: take(WRITE)))
`;
      expect(await target.run(program)).toEqual({
        first: 'ok',
        second: ['EAGAIN', 'EAGAIN', 'ok'],
        seen: ['write', 0, 10],
        process: ['EAGAIN', 'EAGAIN'],
        free: 'ok',
        closed: 'ok',
      });
    });

    it('a counter that processes change under a lock loses nothing', async () => {
      const program = `${HELPERS}
make('counter', b'0')
def count(use):
    def work(process):
        own = os.open('counter', os.O_RDWR)
        for _ in range(60):
            use(own, True)
            number = int(os.pread(own, 20, 0))
            os.pwrite(own, b'%d' % (number + 1), 0)
            use(own, False)
        return 'ok'
    return work
def by_record(own, on):
    lock_record(own, WRITE if on else NONE, 0, 0, fcntl.F_SETLKW)
def by_flock(own, on):
    fcntl.flock(own, fcntl.LOCK_EX if on else fcntl.LOCK_UN)
counts = []
for use in (by_record, by_flock):
    processes = [Process(count(use)) for _ in range(4)]
    for process in processes:
        process.result()
    counts.append(int(read('counter')))
show(counts=counts)
`;
      expect(await target.run(program)).toEqual({ counts: [240, 480] });
    });
  });
}
