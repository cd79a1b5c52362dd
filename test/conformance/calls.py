"""System calls that Python lacks. Each raises OSError."""

import ctypes
import fcntl
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)

AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW = -100, 0x1000, 0x100, 0x400
NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
KEEP_SIZE, PUNCH_HOLE, COLLAPSE_RANGE, ZERO_RANGE, INSERT_RANGE = 1, 2, 8, 16, 32
UTIME_NOW, UTIME_OMIT = 0x3FFFFFFF, 0x3FFFFFFE
SEEK_DATA, SEEK_HOLE = 3, 4
OFD_GETLK, OFD_SETLK, OFD_SETLKW = 36, 37, 38


def system(name, *arguments):
    """A call of the C library: numbers are long, texts are names."""
    call = getattr(libc, name)
    call.restype = ctypes.c_long
    words = []
    for argument in arguments:
        if isinstance(argument, str):
            words.append(ctypes.c_char_p(os.fsencode(argument)))
        elif isinstance(argument, bytes):
            words.append(ctypes.c_char_p(argument))
        elif isinstance(argument, int):
            words.append(ctypes.c_long(argument))
        else:
            words.append(argument)
    result = call(*words)
    # An int that was returned as a long may have lost its sign.
    if result & 0xFFFFFFFF == 0xFFFFFFFF:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def rename2(old, new, flags):
    return system('renameat2', AT_FDCWD, old, AT_FDCWD, new, flags)


def fallocate(descriptor, flags, offset, length):
    return system('fallocate64', descriptor, flags, offset, length)


def link_descriptor(descriptor, name):
    """Gives the file of a descriptor a name."""
    return system('linkat', AT_FDCWD, '/proc/self/fd/%d' % descriptor, AT_FDCWD, name, AT_SYMLINK_FOLLOW)


def set_times(path, accessed, modified, flags=0):
    """utimensat(2): times are (seconds, nanoseconds)."""
    return system('utimensat', AT_FDCWD, path, struct.pack('qqqq', *accessed, *modified), flags)


def birth(path):
    """Nanoseconds of the time of birth; None where the file system does not say."""
    buffer = ctypes.create_string_buffer(256)
    system('statx', AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0xFFF, buffer)
    if struct.unpack_from('I', buffer, 0)[0] & 0x800 == 0:
        return None
    seconds, nanoseconds = struct.unpack_from('qI', buffer, 80)
    return seconds * 1_000_000_000 + nanoseconds


def record(kind, start=0, length=0, pid=0):
    """A struct flock."""
    return struct.pack('hhqqi4x', kind, os.SEEK_SET, start, length, pid)


def find_lock(descriptor, kind, start=0, length=0, command=fcntl.F_GETLK):
    """What is in the way of a lock: (kind, start, length, pid)."""
    kind, _, start, length, pid = struct.unpack('hhqqi4x', fcntl.fcntl(descriptor, command, record(kind, start, length)))
    return [{fcntl.F_RDLCK: 'read', fcntl.F_WRLCK: 'write', fcntl.F_UNLCK: 'none'}[kind], start, length, pid]


def lock_record(descriptor, kind, start=0, length=0, command=fcntl.F_SETLK):
    fcntl.fcntl(descriptor, command, record(kind, start, length))


class Watch:
    """inotify(7) of one path."""

    NAMES = {1: 'access', 2: 'modify', 4: 'attrib', 8: 'close_write', 16: 'close_nowrite', 32: 'open', 64: 'moved_from', 128: 'moved_to',
             256: 'create', 512: 'delete', 1024: 'delete_self', 2048: 'move_self', 0x8000: 'ignored'}

    def __init__(self, path, mask=0xFFF & ~(1 | 16 | 32)):
        self.descriptor = system('inotify_init1', os.O_NONBLOCK)
        system('inotify_add_watch', self.descriptor, path, mask)

    def events(self):
        """Those since the last time, as [what, name]."""
        try:
            data = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return []
        found = []
        while data:
            _, mask, _, size = struct.unpack_from('iIII', data)
            name = data[16:16 + size].rstrip(b'\0').decode()
            found.append([self.NAMES[mask & 0x8FFF], name])
            data = data[16 + size:]
        return found


def dirents(descriptor, size=65536):
    """One getdents64(2): (name, position after it, type, inode number)."""
    buffer = ctypes.create_string_buffer(size)
    libc.syscall.restype = ctypes.c_long
    got = libc.syscall(ctypes.c_long(os_getdents64()), ctypes.c_long(descriptor), buffer, ctypes.c_long(size))
    if got < 0:
        raise OSError(ctypes.get_errno(), 'getdents64')
    found, at = [], 0
    while at < got:
        number, position, length, kind = struct.unpack_from('QqHB', buffer, at)
        name = buffer.raw[at + 19:at + length].split(b'\0', 1)[0].decode('latin1')
        found.append((name, position, kind, number))
        at += length
    return found


def os_getdents64():
    return {'x86_64': 217}.get(os.uname().machine, 61)
