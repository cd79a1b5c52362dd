"""Compares a mounted directory with the one behind it."""

import errno
import hashlib
import os
import stat

LARGEST = 64 << 20
# In a longer directory only the names are compared.
MANY = 2000


def attempt(work):
    try:
        return work()
    except OSError as error:
        return errno.errorcode[error.errno]


def content(path, status):
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
        return ''
    with open(path, 'rb') as file:
        return hashlib.sha1(file.read()).hexdigest()


def attributes(path):
    """Extended attributes by name."""
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}


def facts(path, can):
    status = os.lstat(path)
    known = {
        'mode': oct(status.st_mode),
        'nlink': status.st_nlink,
        'owner': [status.st_uid, status.st_gid],
        'size': status.st_size,
        'blocks': status.st_blocks,
        'device': status.st_rdev,
        'content': attempt(lambda: content(path, status)),
        'attributes': attempt(lambda: attributes(path)),
    }
    if can['inodeNumbers']:
        known['number'] = status.st_ino
    scale = 1 if can['exactTimes'] else 1_000_000_000
    known['modified'] = status.st_mtime_ns // scale
    known['changed'] = status.st_ctime_ns // scale
    return known


def differences(mounted, behind, can, path=b''):
    """Of everything from `path` on, which both have: (path, fact, as seen, as it is)."""
    found = []
    seen, real = os.path.join(mounted, path), os.path.join(behind, path)
    here, there = facts(seen, can), facts(real, can)
    found += [[path, fact, str(here[fact]), str(there[fact])] for fact in here if here[fact] != there[fact]]
    if not stat.S_ISDIR(os.lstat(real).st_mode):
        return found
    names, real_names = attempt(lambda: sorted(os.listdir(seen))), attempt(lambda: sorted(os.listdir(real)))
    if names != real_names:
        return found + [[path, 'names', str(names)[:500], str(real_names)[:500]]]
    if isinstance(names, list) and len(names) <= MANY:
        for name in names:
            found += differences(mounted, behind, can, os.path.join(path, name))
    return found
