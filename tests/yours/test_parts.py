"""Parts are taken out by the steps that docs/recipes has for them, and what is left holds together."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.yours.conftest import Copy
from tests.yours.recipe import parts


@pytest.mark.skipif(not parts(), reason="every part has been taken out")
def test_what_is_left_holds_together(copy: Copy) -> None:
    """.ci/yours runs all checks and tests on what is left."""
    (copy.root / ".venv").symlink_to(sys.prefix)
    for name, steps in parts().items():
        done = subprocess.run(["bash", "-ec", steps], cwd=copy.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        assert not (copy.root / "apps" / name).exists()
        assert not [path for path in copy.root.rglob("*.bak") if ".venv" not in path.parts]
    copy.run("-m", "ruff", "check", ".")
    copy.run("-m", "ruff", "format", "--check", ".")
    words = ("manage.py", "makemigrations", "--check", "--dry-run")
    assert "No changes detected" in copy.run(*words, DJANGO_SETTINGS_MODULE="config.settings.test")
    copy.run("-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider")
