"""What tests need of npm's packages: installed from a lock, and kept beside it for the next run."""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

# how npm says that there is no way to the registry
UNREACHABLE = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED")


def installed(folder: Path) -> Path:
    """The node_modules of `folder`, as its lock has them; skips the test without npm, or a way to its registry."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("this needs Node and npm")
    lock, modules = folder / "package-lock.json", folder / "node_modules"
    stamp, digest = modules / "built-from", hashlib.sha256(lock.read_bytes()).hexdigest()
    assert '"resolved"' not in lock.read_text(), "a lock names what is installed, not where it comes from"
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != digest:
            install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
            done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
            if done.returncode and UNREACHABLE.search(done.stderr):
                pytest.skip("npm does not reach its registry, and what this needs is not here yet")
            assert done.returncode == 0, done.stderr
            stamp.write_text(digest)
    return modules
