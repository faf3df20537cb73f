"""Run a program that does not outlive its starter: `bound.py PROGRAM [ARGUMENT...]`.

For installers and one-time commands: killed half-way through preparing, the stack must not leave
one of them writing into the folder that the next attempt works in.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

# Number from linux/prctl.h.
SET_DEATH_SIGNAL = 1

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - becoming the program is the purpose
