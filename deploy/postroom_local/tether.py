"""Become another program that dies with its parent. Run as a script: `tether.py PARENT_PID PROGRAM [ARGUMENT…]`.

On Linux the kernel sends SIGKILL when the thread that started this process ends, however it ends, `kill -9` included.
The setting survives `exec`, so the program needs to know nothing of it. A trampoline instead of Popen's `preexec_fn`,
which may deadlock in a parent with threads. On macOS, which has no such setting, the program is started all the same
and outlives a parent that was killed.
"""

import ctypes
import os
import signal
import sys
from typing import NoReturn

#: prctl(2), from linux/prctl.h.
_PR_SET_PDEATHSIG = 1

#: What a shell answers for a program that cannot be started.
_EXIT_STATUS_CANNOT_START = 127


def main() -> NoReturn:
    """Set the tether, then become the program."""
    parent_pid, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have died before the tether was set.
        if os.getppid() != int(parent_pid):
            sys.exit(_EXIT_STATUS_CANNOT_START)
    os.execv(command[0], command)  # noqa: S606 - the program comes from this package, and no shell is wanted


if __name__ == "__main__":
    main()
