"""Locks this process: from then on it can read some files, write to one folder, and do nothing else outside.

On Linux the kernel does this in two ways, and neither needs special rights. Landlock restricts which files may be
opened. A filter of system calls (seccomp) refuses sockets, other programs, and changes to owners and modes. Files that
are open stay open. Landlock does not lock threads that run already: lock first, then start them.

`python -m query.answer.lock` prints which locks this machine has.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
import sys
import sysconfig
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # on every architecture
_PR_SET_NO_NEW_PRIVS = 38
#: Version of Landlock -> the number of rights over files that it knows. Each right is a bit.
_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
_READ_FILE, _READ_DIR, _TRUNCATE = 1 << 2, 1 << 3, 1 << 14
#: Rights in the folder to write: read, write, make and remove files and folders.
_WRITE = 1 << 1 | _READ_FILE | _READ_DIR | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | _TRUNCATE

#: System calls that are refused: name -> number on x86-64, on arm64. They start programs, read other processes, or
#: change what Landlock does not protect: modes, owners, times and attributes of files.
_CALLS: dict[str, tuple[int, int | None]] = {
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "truncate": (76, 45),  # by path: Landlock guards it from version 3 on
    "pidfd_open": (434, 434),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "io_uring_setup": (425, 425),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "mount": (165, 40),
    "umount2": (166, 39),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "keyctl": (250, 219),
}
_NETWORK: dict[str, tuple[int, int | None]] = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
}
#: Processor -> its number in the kernel's audit, the index of its numbers above, the number of `seccomp`.
_PROCESSORS = {"x86_64": (0xC000003E, 0, 317), "aarch64": (0xC00000B7, 1, 277)}


@dataclass(frozen=True, slots=True)
class Locks:
    """The locks that a process has from now on."""

    files: bool  #: only the named files can be opened
    calls: bool  #: no program can be started, no mode or owner changed, and, without network, no socket opened


def lock(read: Iterable[str], write: str, network: bool) -> Locks:
    """Lock this process: the calling thread, and all threads that it starts. It cannot be undone.

    Args:
        read: files and folders that may be read. Those of Python itself are added, since modules are imported late.
        write: the one folder in which files may be made, written and removed.
        network: allow sockets.

    Returns:
        The locks that now hold: a system may have none.
    """
    if sys.platform != "linux":
        return Locks(False, False)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return Locks(False, False)
    files = _close_files(libc, [*read, *_python()], write)
    return Locks(files, _refuse_calls(libc, network))


def _python() -> set[str]:
    """Return the folders of Python's own modules, of the installed ones, and of time zones, which DuckDB asks for."""
    own = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *zoneinfo.TZPATH}
    return own | {path for path in sys.path if os.path.basename(path) in {"site-packages", "dist-packages"}}


def _landlock(libc: ctypes.CDLL) -> int:
    """Return the version of Landlock here; below 1 there is none."""
    return int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def _close_files(libc: ctypes.CDLL, read: Iterable[str], write: str) -> bool:
    version = _landlock(libc)
    if version < 1:
        return False
    handled = (1 << max(count for since, count in _RIGHTS.items() if since <= version)) - 1
    # rights over files; over TCP, which the filter of calls refuses; signals and abstract sockets of others
    attributes = struct.pack("=QQQ", handled, 0, 3)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    if rules < 0:
        return False
    try:
        for path in read:
            _allow(libc, rules, path, (_READ_FILE | _READ_DIR) & handled)
        _allow(libc, rules, write, _WRITE & handled)
        return not libc.syscall(_RESTRICT_SELF, rules, ctypes.c_uint32(0))
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    """Add a rule. A file that does not exist needs none."""
    with contextlib.suppress(OSError):
        number = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):
                rights &= ~_READ_DIR  # a right over a folder is an error for a file
            rule = struct.pack("=Qi", rights, number)
            libc.syscall(_ADD_RULE, rules, 1, rule, ctypes.c_uint32(0))
        finally:
            os.close(number)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _refuse_calls(libc: ctypes.CDLL, network: bool) -> bool:
    """Give all threads of this process a filter of system calls."""
    if platform.machine() not in _PROCESSORS or sys.maxsize < 1 << 32:
        return False
    audit, index, seccomp = _PROCESSORS[platform.machine()]
    calls = _CALLS if network else _CALLS | _NETWORK
    numbers = [number for both in calls.values() if (number := both[index]) is not None]
    code = _filter(audit, numbers)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    return not libc.syscall(seccomp, 1, ctypes.c_uint(1), ctypes.byref(program))  # SET_MODE_FILTER, TSYNC


def _filter(audit: int, numbers: list[int]) -> bytes:
    """Return a program of the kernel's packet filter: EACCES for these numbers, and on other architectures."""
    load, equal, at_least, end = 0x20, 0x15, 0x35, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | errno.EACCES
    lines = [(load, 0, 0, 4), (equal, 0, len(numbers) + 3, audit), (load, 0, 0, 0)]
    lines += [(at_least, len(numbers) + 1, 0, 0x40000000)]  # the numbers of x32
    lines += [(equal, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    lines += [(end, 0, 0, allow), (end, 0, 0, refuse)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def main() -> None:
    """Print which locks this machine has."""
    locks = lock([], os.getcwd(), network=False)
    print(f"files: {'closed by Landlock' if locks.files else 'not closed, this system has no Landlock'}")
    print(f"network and other programs: {'closed by seccomp' if locks.calls else 'not closed, no seccomp here'}")


if __name__ == "__main__":
    main()
