"""Builds `.venv` from a hashed lock before anything is installed: run by the system's Python, standard library only.

    python3 -I config/stack/bootstrap.py local|dev

A stamp inside .venv says which locks it was built from. It is taken away before anything changes and written last,
so a build that was cut short is found out and begun anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON, PIP = VENV / "bin" / "python", VENV / "bin" / "pip"
STAMP = VENV / "built-from.json"
LOCKS = ROOT / "requirements"
CONTAINS = {"local": ("local",), "dev": ("local", "dev")}
# two installers share the work: each waits for the network half of the time
INSTALLERS = 2
# the modules that are used get compiled when they are first imported, a third of them never
OPTIONS = ("--no-input", "--disable-pip-version-check", "--no-compile", "--no-deps", "--require-hashes")
REQUIREMENT = re.compile(r"^[a-z0-9].*(?:\n[ \t]+.*)*", re.MULTILINE | re.IGNORECASE)
HANDLED = re.compile(r"^(Collecting|Processing|Requirement already satisfied)")


def main(wanted: str) -> None:
    """Make sure that `.venv` holds the lock `wanted`; prints what it does, and nothing when there is nothing to do."""
    target = {name: _digest(name) for name in CONTAINS[wanted]}
    if _built_from().items() >= target.items():
        return
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    folder = os.open(LOCKS, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    built = _built_from()
    if built.items() >= target.items():
        # another make has done it meanwhile
        return
    started = time.monotonic()
    _progress(f"building .venv with Python {sys.version.split()[0]}")
    STAMP.unlink(missing_ok=True)
    if os.geteuid() == 0:
        # root's servers run as nobody, who has to get at their programs in there
        os.umask(0o022)
    if not built or any(target.get(name, digest) != digest for name, digest in built.items()):
        _make_venv()
    requirements = REQUIREMENT.findall((LOCKS / f"{wanted}.txt").read_text())
    _install(requirements, folder)
    STAMP.write_text(json.dumps({"python": _interpreter(), **built, **target}))
    _progress(f"{len(requirements)} packages are in place after {time.monotonic() - started:.1f} s", end="\n")


def _digest(name: str) -> str:
    return hashlib.sha256((LOCKS / f"{name}.txt").read_bytes()).hexdigest()


def _interpreter() -> str:
    """What an environment depends on besides the locks: the interpreter, and where the environment lies."""
    return f"{sys.version} at {VENV}"


def _built_from() -> dict[str, str]:
    """The locks that a finished, usable .venv holds, with their digests."""
    try:
        built: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    usable = built.pop("python", "") == _interpreter() and PYTHON.exists()
    return built if usable else {}


def _make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    borrowed = _system_pip()
    without = ["--without-pip"] if borrowed else []
    command = [sys.executable, "-m", "venv", *without, str(VENV)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        advice = "on Debian and Ubuntu: apt install python3-venv"
        sys.exit(f"{(made.stdout + made.stderr).strip()}\n`python3 -m venv` does not work here ({advice})")
    if borrowed:
        PIP.write_text(f'#!/bin/sh\nexec {shlex.join(borrowed)} "$@"\n')
        PIP.chmod(0o755)


def _system_pip() -> list[str]:
    """The system's pip told to work on .venv: three seconds quicker than a pip installed into it. Empty: none can."""
    pip = [sys.executable, "-m", "pip"]
    shown = subprocess.run([*pip, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"pip (\d+)\.(\d+)", shown)
    new_enough = version and (int(version[1]), int(version[2])) >= (22, 3)
    return [*pip, "--python", str(PYTHON)] if new_enough else []


def _install(requirements: list[str], lock: int) -> None:
    environment = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    running: list[tuple[subprocess.Popen[bytes], Path]] = []
    try:
        for number in range(INSTALLERS):
            part, log = VENV / f"install-{number}.txt", VENV / f"install-{number}.log"
            part.write_text("\n".join(requirements[number::INSTALLERS]) + "\n")
            command = [str(PIP), "install", *OPTIONS, "--progress-bar", "off", "-r", str(part)]
            with log.open("wb") as output:
                # a group, since pip may start another pip; it holds the lock as long as it writes
                process = subprocess.Popen(
                    command, stdout=output, stderr=output, env=environment, process_group=0, pass_fds=(lock,)
                )
            running.append((process, log))
        _watch(running, len(requirements))
    finally:
        for process, _ in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _watch(running: list[tuple[subprocess.Popen[bytes], Path]], total: int) -> None:
    reported = time.monotonic()
    while any(process.poll() is None for process, _ in running):
        time.sleep(0.1)
        if time.monotonic() - reported > (0.2 if sys.stdout.isatty() else 5):
            reported = time.monotonic()
            lines = [line for _, log in running for line in log.read_text(errors="replace").splitlines()]
            fetched = sum(1 for line in lines if HANDLED.match(line))
            unpacking = sum(1 for line in lines if line.startswith("Installing collected packages"))
            done = "unpacking" if unpacking == len(running) else f"{min(fetched, total)} fetched"
            _progress(f"installing {total} packages: {done}")
    for process, log in running:
        if process.returncode:
            _progress("", end="")
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
            sys.exit(f"{tail}\nthe packages could not be installed; the next start tries again")


def _progress(text: str, end: str = "") -> None:
    """One line that changes on a terminal, one line each in a pipe."""
    terminal: IO[str] = sys.stdout
    if terminal.isatty():
        print(f"\r\x1b[K{text}", end=end, flush=True)
    elif text:
        print(text, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
