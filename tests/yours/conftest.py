"""A copy of the repository, to be changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.processes import ROOT

# what is compiled is copied: else each program that is run there would compile it anew
NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", ".local*", "static", ".*_cache", ".hypothesis", "node_modules")


@dataclass(frozen=True)
class Copy:
    """The copy, in `root`."""

    root: Path

    def run(self, *words: str, status: int = 0, **env: str) -> str:
        """What Python prints there, on either stream, given these words."""
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "RUFF_NO_CACHE": "true", **env}
        done = subprocess.run(
            [sys.executable, *words], cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def texts(self) -> dict[str, str]:
        """Every text file by its path."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            if path.is_file() and path.suffix not in {".png", ".ico", ".pyc"}:
                found[path.relative_to(self.root).as_posix()] = path.read_text(encoding="utf-8")
        return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    root = tmp_path_factory.mktemp("copy") / "repository"
    shutil.copytree(ROOT, root, ignore=NOT_COPIED)
    return Copy(root)
