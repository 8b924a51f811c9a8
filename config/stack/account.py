"""Which account the servers run as: this one, or nobody if this one is root, who must not run a database.

Root's folders stay closed to nobody. A server starts inside its data folder and names it in a way that needs no path
to it: `/proc/self/cwd`, or `.`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from config.server.launch import nobody
from config.stack.child import LAUNCHER, Identity

HERE = Path("/proc/self/cwd")


def server_identity() -> Identity:
    """The identity of a server that this process starts."""
    return "nobody" if os.geteuid() == 0 else "same"


def hand_over(folder: Path) -> None:
    """Give `folder`, and what is in it, to the servers' account; nothing happens if it has it already."""
    if server_identity() == "nobody" and folder.stat().st_uid == 0:
        for path in [*folder.rglob("*"), folder]:
            os.chown(path, *nobody(), follow_symlinks=False)


@cache
def obstacle(program: Path) -> str:
    """Why the servers' account cannot run `program`, in a few words; empty if it can. Tries it once."""
    if server_identity() == "same":
        return ""
    if sys.platform != "linux":
        return "that takes Linux"
    attempt = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), "-1", "0", "nobody", str(program)]
    tried = subprocess.run(
        [*attempt, "--version"], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if tried.returncode == 0:
        return ""
    for folder in reversed(program.parents):
        if not folder.stat().st_mode & 0o001:
            remedy = f"chmod -R o+rX {folder}" if ".venv" in folder.parts else f"chmod o+x {folder}"
            return f"{folder} lets no other account through (`{remedy}` would)"
    return tried.stderr.strip()
