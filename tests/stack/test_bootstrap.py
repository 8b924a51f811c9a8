"""The environment is built in `.venv` and nowhere else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT


def test_an_environment_that_is_only_linked_to_is_not_emptied(tmp_path: Path) -> None:
    program = tmp_path / "copy" / "config" / "stack" / "bootstrap.py"
    program.parent.mkdir(parents=True)
    shutil.copy(ROOT / "config" / "stack" / "bootstrap.py", program)
    shutil.copytree(ROOT / "requirements", tmp_path / "copy" / "requirements")
    kept = tmp_path / "of another checkout" / "kept"
    kept.parent.mkdir()
    kept.touch()
    link = tmp_path / "copy" / ".venv"
    link.symlink_to(kept.parent)
    done = subprocess.run(
        [sys.executable, "-I", program, "dev"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"{link} is a link, and to build it would empty {kept.parent}: remove the link\n"
    assert kept.exists()
