"""Fixtures of the tests of both documents, OpenAPI and AsyncAPI."""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TYPESCRIPT = Path(__file__).with_name("typescript")
# how npm says that there is no way to the registry
UNREACHABLE = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED")


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The packages of npm that tests need, from the lock; kept beside it for the next run."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("this needs Node and npm")
    lock, modules = TYPESCRIPT / "package-lock.json", TYPESCRIPT / "node_modules"
    stamp, digest = modules / "built-from", hashlib.sha256(lock.read_bytes()).hexdigest()
    assert '"resolved"' not in lock.read_text(), "a lock names what is installed, not where it comes from"
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != digest:
            install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
            done = subprocess.run(install, cwd=TYPESCRIPT, capture_output=True, text=True, timeout=120, check=False)
            if done.returncode and UNREACHABLE.search(done.stderr):
                pytest.skip("npm does not reach its registry, and what this needs is not here yet")
            assert done.returncode == 0, done.stderr
            stamp.write_text(digest)
    return modules
