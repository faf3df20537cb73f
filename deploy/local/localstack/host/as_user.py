"""Become another user, then a program: `as_user.py UID GID PROGRAM [ARGUMENT...]`.

The database refuses to be root. The user that it is instead may not be able to enter the folders
above its program and its data (a checkout below a private home, say), so the one right to pass
through folders is kept where the system has it to give.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

# Numbers from linux/capability.h and linux/prctl.h.
DAC_OVERRIDE, DAC_READ_SEARCH, SET_PROCESS_CAPABILITIES = 1, 2, 8
VERSION_3 = 0x20080522
SET_SECURE_BITS, NO_SETUID_FIXUP = 28, 4
AMBIENT, AMBIENT_RAISE = 47, 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def passing_right() -> int | None:
    """Return the weakest capability of this process that lets it pass through any folder."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    held = int(line.split()[1], 16)
    if not held >> SET_PROCESS_CAPABILITIES & 1:
        return None
    return next((right for right in (DAC_READ_SEARCH, DAC_OVERRIDE) if held >> right & 1), None)


def become(user: int, group: int) -> None:
    """Become the user for good, with no right of root but the one to pass through folders."""
    right = passing_right()
    libc = ctypes.CDLL(None, use_errno=True)
    if right is not None:
        # Without this, the kernel's access() answers for a user without any right, and initdb
        # and the server ask it whether they may run their own programs.
        libc.prctl(SET_SECURE_BITS, NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
    if right is None:
        return
    sets = (_Sets * 2)()
    sets[0].effective = sets[0].permitted = sets[0].inheritable = 1 << right
    if libc.capset(ctypes.byref(_Header(VERSION_3, 0)), ctypes.byref(sets)) != 0:
        raise PermissionError(ctypes.get_errno(), "root's other rights could not be given up")
    # Ambient rights are the ones that outlive the change into a program.
    libc.prctl(AMBIENT, AMBIENT_RAISE, right, 0, 0)


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]))
    os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606 - becoming the program is the purpose
