"""Demo data, whose password everybody knows, goes only into databases that `make run` made, and in development."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.users.models import User
from tests.conftest import own_database_url
from tests.processes import ROOT

# what a database is like if somebody else has made it
FOREIGN = "?options=-c%20stack.demo_data%3D"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("program", "profile", "end", "status", "says"),
    [
        (("-m", "config.stack.prepare", "--seed"), "development", FOREIGN, 1, "only into the database that"),
        (("-m", "config.stack.prepare"), "development", "", 0, "no demo data: the database is not this stack's own"),
        (("-m", "config.stack.prepare", "--seed"), "test", "", 0, "no demo data: the settings are those of test"),
        (("manage.py", "seed_demo"), "development", FOREIGN, 1, "manage.py create_user ADDRESS"),
        (("manage.py", "seed_demo"), "test", "", 1, "seed_demo runs in development only"),
    ],
)
def test_nothing_goes_into_the_database_of_others(
    program: tuple[str, ...], profile: str, end: str, status: int, says: str, tmp_path: Path
) -> None:
    done = run(program, profile, own_database_url() + end, tmp_path)
    assert (done.returncode, User.objects.count()) == (status, 0), done.stdout + done.stderr
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.django_db(transaction=True)
def test_the_stacks_own_database_is_seeded_once(tmp_path: Path) -> None:
    for _ in "ab":
        done = run(("-m", "config.stack.prepare", "--seed"), "development", own_database_url(), tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip().endswith("demo data in place")
    assert User.objects.get(email="admin@example.com").is_staff
    assert User.objects.count() == 3


def run(program: tuple[str, ...], profile: str, database: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it with the settings of `profile` on `database`."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": f"config.settings.{profile}",
        "DATABASE_URL": database,
        "STATE_DIR": str(folder),
    }
    return subprocess.run(
        [sys.executable, *program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
