"""Outlives a supervisor that was killed, and ends what it left: the kernel's own death signal reaches no grandchild.

    python -I -S guard.py [FOLDER]   # reads lines "PID SIGNAL"; signal 0 takes a process off the list

Every process on the list leads a process group. At end of file, which is when the supervisor is gone or has closed
the pipe, each leader still listed gets its signal and, GRACE seconds later, each group SIGKILL. FOLDER is removed.
"""

import contextlib
import os
import shutil
import signal
import sys
import time

GRACE = 2.0


def main() -> None:
    """Keep the list until end of file, then end the processes still on it."""
    for ignored in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(ignored, signal.SIG_IGN)
    groups: dict[int, int] = {}
    for line in sys.stdin:
        pid, number = map(int, line.split())
        if number:
            groups[pid] = number
        else:
            groups.pop(pid, None)
    end(groups)
    for folder in sys.argv[1:]:
        shutil.rmtree(folder, ignore_errors=True)


def end(groups: dict[int, int]) -> None:
    """Signal each leader in its own way, wait up to GRACE seconds, and kill each group that is left."""
    for pid, number in groups.items():
        with contextlib.suppress(OSError):
            os.kill(pid, number)
    deadline = time.monotonic() + GRACE
    while any(map(alive, groups)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in groups:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def alive(group: int) -> bool:
    """Whether the process group still has a member."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # a member under another identity is still a member
        return True
    return True


if __name__ == "__main__":
    main()
