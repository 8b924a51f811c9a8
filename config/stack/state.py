"""The folder that one copy of the stack keeps its state in, and the lock that keeps a second copy out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

LEFTOVERS_GONE_WITHIN = 10.0
OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class StateError(Exception):
    """The state folder cannot be used; the message says why."""


@contextlib.contextmanager
def locked(state_dir: Path, who: str) -> Iterator[int]:
    """Lock the folder, which is created if it is missing, and yield the lock's descriptor. Raises `StateError`.

    Other accounts are kept out of the folder (mode 0700).

    The lock holds as long as any process has the descriptor open. Children inherit it, so after a SIGKILL the next
    start waits until the last of them has let go of its files. A second copy's message names `who`.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        _close_to_others(state_dir)
        descriptor = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StateError(f"STATE_DIR={state_dir} cannot be used: {error.strerror}") from None
    try:
        _acquire(descriptor, state_dir)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {who}".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _close_to_others(state_dir: Path) -> None:
    """Close the folder to other accounts; raises `StateError` if that fails, or would close a shared folder."""
    status = state_dir.stat()
    if status.st_uid != os.geteuid():
        raise StateError(f"STATE_DIR={state_dir} belongs to another account: name a folder of your own")
    if not status.st_mode & OPEN_TO_OTHERS:
        return
    if status.st_mode & stat.S_IWOTH or not _is_ours(state_dir):
        raise StateError(
            f"STATE_DIR={state_dir} is open to other accounts, and has files in it that are not the stack's: "
            "name a folder of its own"
        )
    state_dir.chmod(stat.S_IRWXU)
    for path in state_dir.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~OPEN_TO_OTHERS)
    if state_dir.stat().st_mode & OPEN_TO_OTHERS:
        raise StateError(f"STATE_DIR={state_dir} cannot be closed to other accounts: name one on another file system")


def _is_ours(folder: Path) -> bool:
    """Whether only the stack, or manage.py without it, has put files into the folder."""
    names = {path.name for path in folder.iterdir()}
    return (folder / "lock").is_file() or all(name.startswith(("mail", "metrics")) for name in names)


def _acquire(descriptor: int, state_dir: Path) -> None:
    deadline = time.monotonic() + LEFTOVERS_GONE_WITHIN
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace")
            pid, _, who = holder.partition(" ")
            if _alive(pid) or time.monotonic() > deadline:
                raise StateError(
                    f"{state_dir} is in use by process {pid or 'unknown'} ({who or 'starting'}): "
                    "stop it, or set STATE_DIR and PORT to run a second copy"
                ) from None
            time.sleep(0.05)
        else:
            return


def _alive(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def read_addresses(path: Path) -> dict[str, str]:
    """The `NAME=value` lines of an env file; empty if there is no file."""
    with contextlib.suppress(OSError):
        pairs = (line.partition("=") for line in path.read_text().splitlines())
        return {name: value for name, separator, value in pairs if separator}
    return {}


def write_addresses(path: Path, addresses: Mapping[str, str]) -> None:
    """Write `addresses` as `NAME=value` lines, whole or not at all, so that only this user can read them."""
    unfinished = path.with_name(f"{path.name}.tmp")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("".join(f"{name}={value}\n" for name, value in addresses.items()))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
