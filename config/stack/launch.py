"""Runs as a small program of its own between the supervisor and each child: ties the child to it, then becomes it.

    python -I -S launch.py PARENT_PID GUARD_FD ORPHAN_SIGNAL IDENTITY PROGRAM [ARGUMENT …]

A program and not a `preexec_fn`, because the supervisor has threads, and code between fork and exec in a process
with threads can deadlock.
"""

import ctypes
import os
import pwd
import signal
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
NOBODY = 65534
CANNOT_RUN = 127


def main(arguments: list[str]) -> None:
    """Register with the guard, change identity, ask for `ORPHAN_SIGNAL` on the parent's death, and exec."""
    parent, guard, orphan_signal = map(int, arguments[:3])
    identity, command = arguments[3], arguments[4:]
    try:
        if guard >= 0:
            # a line this short is written in one piece, whoever else writes at the same time
            os.write(guard, f"{os.getpid()} {orphan_signal}\n".encode())
            os.set_inheritable(guard, False)
        become(identity)
        # last, because a change of credentials clears it
        die_with_parent(orphan_signal)
        if os.getppid() != parent:
            sys.exit("the process that started this one is gone")
        # Python ignores SIGPIPE, and an ignored signal stays ignored after exec
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cannot run {command[0]}: {error}", file=sys.stderr)
        sys.exit(CANNOT_RUN)


def become(identity: str) -> None:
    """Take on `same` (nothing changes), `namespace` (nobody, in a user namespace) or `nobody` (the account)."""
    if identity == "namespace":
        enter_user_namespace()
    elif identity == "nobody":
        uid, gid = nobody()
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def enter_user_namespace() -> None:
    """Be the user nobody inside and stay root outside; needs neither an account nor a chown. Linux only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "a user namespace is refused here")
    for name, text in ("setgroups", "deny"), ("uid_map", f"{NOBODY} 0 1"), ("gid_map", f"{NOBODY} 0 1"):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


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
