"""What another account of this machine can do: `as_outsider("…")` runs Python under that account."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

# neither root nor the servers' account
OUTSIDER = 65533
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


def as_outsider(code: str, *arguments: str) -> str:
    """Run `code`, with `arguments` as its sys.argv[1:], as another account; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{BECOME}\n{textwrap.dedent(code)}", *arguments],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


BECOME = f"""
import os, socket, sys
os.setgroups([]); os.setgid({OUTSIDER}); os.setuid({OUTSIDER})
"""
