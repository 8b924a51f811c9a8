"""A small program between the supervisor and each child: it ties itself to the supervisor, then becomes the child.

    python -I -S launch.py PARENT_PID GUARD_FD ORPHAN_SIGNAL IDENTITY PROGRAM [ARGUMENT …]

A program and not a `preexec_fn`, because the supervisor has threads, and code between fork and exec in a process
with threads can deadlock.
"""

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1
NOBODY = 65534
CANNOT_RUN = 127


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and the guard, and exec."""
    parent, guard, orphan_signal = map(int, arguments[:3])
    identity, command = arguments[3], arguments[4:]
    try:
        tie(parent, guard, orphan_signal, identity)
        # Python ignores SIGPIPE, and an ignored signal stays ignored after exec
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cannot run {command[0]}: {error}", file=sys.stderr)
        sys.exit(CANNOT_RUN)


def tie(parent: int, guard: int, orphan_signal: int, identity: str = "same") -> None:
    """Register with the guard (-1: there is none), change identity, and ask for `orphan_signal` on the parent's death.

    Ends the process if its parent is no longer `parent`. Raises OSError if it may not become `identity`.
    """
    if guard >= 0:
        # a line this short is written in one piece, even if others write at the same time
        os.write(guard, f"{os.getpid()} {orphan_signal}\n".encode())
        # the guard waits until nobody can write to it any more
        os.close(guard)
    become(identity)
    # last, because a change of credentials clears it
    die_with_parent(orphan_signal)
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")


def become(identity: str) -> None:
    """Become `same` (nothing changes) or `nobody` (the account, with only its own group); for good."""
    if identity == "nobody":
        uid, gid = nobody()
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel for `signal_number` when the thread that started this process ends. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def nobody() -> tuple[int, int]:
    """The numeric user and group of the account nobody."""
    try:
        account = pwd.getpwnam("nobody")
    except KeyError:
        return NOBODY, NOBODY
    return account.pw_uid, account.pw_gid


if __name__ == "__main__":
    main(sys.argv[1:])
