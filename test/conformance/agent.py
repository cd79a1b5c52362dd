"""Runs the small programs of the conformance tests.

    python3 agent.py MOUNT BEHIND UID GID

Each line of standard input is a request in JSON: {"program", "place", "seconds", "privileged", "can"}. The program runs in a process of its own, as UID
and GID (as this process where `privileged`), in the new directory MOUNT/place; what it gives to show() is the answer, one line of JSON. Bytes are latin1.
What a program starts and forgets is killed with it, and so is a program that takes longer than `seconds`.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import random
import resource
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import textwrap
import threading
import time
import traceback

# All that programs use is loaded here: users that they become may not be able to.
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from calls import *
from comparison import differences


def as_json(value):
    if isinstance(value, bytes):
        return value.decode('latin1')
    if isinstance(value, dict):
        return {as_json(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(as_json(item) for item in value)
    if isinstance(value, float) or value is None or isinstance(value, (bool, str)):
        return value
    # Numbers that JavaScript cannot hold are text.
    return value if abs(value) < 2**53 else str(value)


# Numbers with two names.
errno.errorcode.update({errno.EOPNOTSUPP: 'EOPNOTSUPP', errno.EDEADLK: 'EDEADLK'})


def outcome(work, *arguments, **named):
    """What a call gives: the name of its error, else its value, else 'ok'."""
    try:
        value = work(*arguments, **named)
    except OSError as error:
        return errno.errorcode[error.errno]
    return 'ok' if value is None else value


def opens(path, flags, mode=0o666):
    """The outcome of open(2); the descriptor is closed."""
    try:
        os.close(os.open(path, flags, mode))
    except OSError as error:
        return errno.errorcode[error.errno]
    return 'ok'


def decodes(name):
    """Whether bytes are UTF-8."""
    try:
        return name.decode() is not None
    except UnicodeDecodeError:
        return False


def make(path, content=b'', mode=0o644):
    """A file with exactly this mode, whatever the umask. Returns its name."""
    with open(path, 'wb') as file:
        file.write(content)
    os.chmod(path, mode)
    return path


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def mode(path):
    """Permission bits in octal, of a path or a descriptor."""
    status = os.fstat(path) if isinstance(path, int) else os.lstat(path)
    return format(stat.S_IMODE(status.st_mode), 'o')


def owner(path):
    status = os.lstat(path)
    return [status.st_uid, status.st_gid]


def become(uid, gid, groups=()):
    if os.geteuid() == 0:
        os.setgroups(list(groups))
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


class Process:
    """A process that does `work(process)`, which may say() things to the one that started it and hear() from it."""

    def __init__(self, work, uid=None, gid=None, groups=()):
        down, up = os.pipe(), os.pipe()
        self.heard = b''
        self.pid = os.fork()
        if self.pid > 0:
            os.close(down[0])
            os.close(up[1])
            self.reader, self.writer = up[0], down[1]
            return
        os.close(up[0])
        os.close(down[1])
        self.reader, self.writer = down[0], up[1]
        try:
            if uid is not None:
                become(uid, uid if gid is None else gid, groups)
            self.say(['result', work(self)])
        except BaseException:
            self.say(['failed', traceback.format_exc()[:4000]])
        finally:
            os._exit(0)

    def say(self, value):
        os.write(self.writer, json.dumps(as_json(value)).encode() + b'\n')

    def hears(self, seconds):
        """Whether something is said within that time, or the other end has ended."""
        return b'\n' in self.heard or bool(select.select([self.reader], [], [], seconds)[0])

    def hear(self, seconds=10):
        end = time.monotonic() + seconds
        while b'\n' not in self.heard:
            if not self.hears(max(0, end - time.monotonic())):
                raise TimeoutError('nothing heard within %s seconds' % seconds)
            more = os.read(self.reader, 65536)
            if more == b'':
                raise EOFError('the other process has ended')
            self.heard += more
        line, self.heard = self.heard.split(b'\n', 1)
        return json.loads(line)

    def kill(self, number=signal.SIGKILL):
        os.kill(self.pid, number)

    def wait(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def result(self, seconds=10):
        """What the work returned."""
        kind, value = self.hear(seconds)
        self.wait()
        if kind == 'failed':
            raise RuntimeError(value)
        return value


def as_user(uid, work, gid=None, groups=()):
    """What `work()` returns when another user does it."""
    return Process(lambda _: work(), uid, gid, groups).result()


def signal_of(work):
    """The name of the signal that the work ends with; 'none'."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else 'none'


def run_program(request, arguments, answer):
    mount, behind, uid, gid = arguments
    shown = {}
    os.setpgid(0, 0)
    os.umask(0o022)
    if not request['privileged']:
        become(int(uid), int(gid), [int(gid)])
    place = request['place']
    if place is not None:
        os.makedirs(os.path.join(mount, place), exist_ok=True)
        os.chdir(os.path.join(mount, place))
    scope = {name: value for name, value in globals().items() if not name.startswith('__')}
    scope.update(
        can=request['can'],
        mount=mount,
        here=os.path.join(mount, place or ''),
        behind=os.path.join(behind, place) if place is not None else behind,
        show=lambda **values: shown.update(values),
    )
    exec(compile(textwrap.dedent(request['program']), 'program', 'exec'), scope)
    os.write(answer, json.dumps({'shown': as_json(shown)}).encode())


def serve(request, arguments):
    """The answer of a program, as bytes of JSON."""
    answer, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(answer)
            # Nothing that a program prints is taken for an answer.
            os.dup2(2, 1)
            run_program(request, arguments, writer)
        except BaseException:
            os.write(writer, json.dumps({'error': traceback.format_exc()[:4000]}).encode())
        finally:
            os._exit(0)
    os.close(writer)
    end = time.monotonic() + request['seconds']
    said = b''
    while True:
        if not select.select([answer], [], [], max(0, end - time.monotonic()))[0]:
            said = json.dumps({'error': 'not over within %s seconds' % request['seconds']}).encode()
            break
        more = os.read(answer, 1 << 20)
        said += more
        # Those that it started hold the pipe too: what it said is whole when it has gone.
        if more == b'' or os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            while select.select([answer], [], [], 0)[0] and (more := os.read(answer, 1 << 20)) != b'':
                said += more
            break
    os.close(answer)
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    # One that hangs in the kernel is not waited for.
    for _ in range(200):
        if os.waitpid(child, os.WNOHANG)[0] != 0:
            break
        time.sleep(0.005)
    return said or json.dumps({'error': 'the program ended without an answer'}).encode()


def main():
    for line in sys.stdin:
        sys.stdout.buffer.write(serve(json.loads(line), sys.argv[1:]) + b'\n')
        sys.stdout.buffer.flush()


if __name__ == '__main__':
    main()
