"""manage.py jobs"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import load_command_class
from django.db.models.functions import Now

from apps.core.bus import bus
from apps.jobs.commands import SubmitJob
from apps.jobs.models import Job
from apps.users.commands import UserSnapshot
from tests.commands import refusal, run, run_json

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


def test_the_help_has_an_example() -> None:
    parser = load_command_class("apps.jobs", "jobs").create_parser("manage.py", "jobs")
    assert "manage.py jobs" in parser.format_help().partition("Example:")[2]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--limit", "0"), "--limit"),
        (("--limit", "ten"), "--limit"),
        (("--cancel", "7"), "--cancel"),
        (("--cancel", "9d9a8f3e-0000-4000-8000-000000000000"), "no job"),
    ],
)
def test_bad_input_is_one_clear_line(words: tuple[str, ...], named: str) -> None:
    assert named in refusal("jobs", *words)


def test_jobs_newest_first(register: Register, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no jobs" in run(capsys, "jobs")
    ada = register("ada@example.com")
    first, second = [bus.execute(SubmitJob("process", ada.id, {"rows": []}, total=0)) for _ in range(2)]
    Job.objects.filter(id=second).update(created_at=Now() + timedelta(seconds=1))
    (newest,) = run_json(capsys, "jobs", "--limit", "1")
    assert (newest["id"], newest["status"], newest["owner__email"]) == (str(second), "PENDING", "ada@example.com")
    (_, oldest) = run_json(capsys, "jobs", "--cancel", str(first))
    assert (oldest["id"], oldest["status"]) == (str(first), "REVOKED")
    assert "already ended" in refusal("jobs", "--cancel", str(first))
    (_, again) = run_json(capsys, "jobs", "--retry", str(first))
    assert again["status"] == "PENDING"
    assert "Only a failed" in refusal("jobs", "--retry", str(second))


def test_tables_for_people_show_whole_cells(register: Register, capsys: pytest.CaptureFixture[str]) -> None:
    ada = register("a-rather-long-address-of-somebody@a-rather-long-domain.example.com")
    job = bus.execute(SubmitJob("process", ada.id, {"rows": []}))
    printed = run(capsys, "jobs")
    assert str(job) in printed
    assert ada.email in printed
