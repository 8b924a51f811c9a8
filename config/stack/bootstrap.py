"""Builds `.venv` from a hashed lock before anything is installed: run by the system's Python, standard library only.

    python3 -I config/stack/bootstrap.py local|dev

pip installs uv, and uv the rest. A stamp inside .venv says which lock it was built from. It is removed before
anything changes and written last, so the next start notices that a build was cut short and finishes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON, UV = VENV / "bin" / "python", VENV / "bin" / "uv"
STAMP = VENV / "built-from.json"
LOCKS = ROOT / "requirements"
# `dev` holds everything that `local` does
HOLDS = {"local": ("local",), "dev": ("dev", "local")}


def main(wanted: str) -> None:
    """Make sure that `.venv` holds the lock `wanted`; prints nothing if there is nothing to do."""
    if _is_built(wanted):
        return
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    folder = os.open(LOCKS, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    # another make may have done it meanwhile
    if _is_built(wanted):
        return
    if VENV.is_symlink():
        sys.exit(f"{VENV} is a link, and to build it would empty {VENV.resolve()}: remove the link")
    print(f"building .venv with Python {sys.version.split()[0]}", flush=True)
    name = "dev" if "dev" in _stamp() else wanted
    usable = _stamp().get("python") == _interpreter() and PYTHON.exists()
    STAMP.unlink(missing_ok=True)
    if os.geteuid() == 0:
        # root's servers run as the account nobody, which must be able to read their programs in there
        os.umask(0o022)
    if not usable:
        _run(sys.executable, "-m", "venv", "--clear", VENV, advice="on Debian and Ubuntu: apt install python3-venv")
    if not UV.exists():
        pip = (PYTHON, "-m", "pip", "--no-input", "--disable-pip-version-check", "install", "--quiet")
        _run(*pip, "--no-deps", "--require-hashes", "-r", LOCKS / "uv.txt")
    _run(UV, "pip", "sync", "--quiet", "--require-hashes", "--python", PYTHON, LOCKS / f"{name}.txt")
    built = {part: _digest(part) for part in HOLDS[name]}
    STAMP.write_text(json.dumps({"python": _interpreter(), **built}))


def _is_built(name: str) -> bool:
    stamp = _stamp()
    return PYTHON.exists() and stamp.get("python") == _interpreter() and stamp.get(name) == _digest(name)


def _stamp() -> dict[str, str]:
    try:
        read: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return read


def _digest(name: str) -> str:
    return hashlib.sha256((LOCKS / f"{name}.txt").read_bytes()).hexdigest()


def _interpreter() -> str:
    """What an environment depends on besides the lock: the interpreter, and where the environment lies."""
    return f"{sys.version} at {VENV}"


def _run(*command: str | Path, advice: str = "the next start tries again") -> None:
    environment = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "UV_LINK_MODE": "copy"}
    environment.pop("VIRTUAL_ENV", None)
    if subprocess.run(command, env=environment, check=False).returncode:
        sys.exit(f"the environment could not be built ({advice})")


if __name__ == "__main__":
    main(sys.argv[1])
