"""The tour breaks the people directory that `make run` plays, and no other."""

from __future__ import annotations

from pathlib import Path

from apps.tour.experiments import BROKEN, EXPERIMENTS
from config.stack.people import PeopleDirectory
from tests import loopback
from tests.processes import Processes
from tests.tour.test_experiments import press, touring


def test_one_that_make_run_did_not_start_is_left_alone(
    processes: Processes, directory: PeopleDirectory, tmp_path: Path
) -> None:
    web = touring(processes, tmp_path, EXTERNAL_API_URL=directory.url, EXTERNAL_API_KEY=directory.key)
    before = directory.state()
    with loopback.client(base_url=web.url, timeout=60) as browser:
        for name in ("directory-down", "directory-slow", "directory-repaired"):
            answer = press(browser, name)
            assert (answer.status_code, "his needs the" in answer.text) == (200, True), answer.text
            assert "Kept." not in answer.text
        assert browser.get("/tour/now").status_code == 200
    assert directory.state() == before


def test_what_is_broken_can_be_repaired() -> None:
    import apps.tour.views  # noqa: F401 - finds the experiments

    broken = BROKEN["circuit-breaker"]
    assert broken.how() == "", "there is none to be asked"
    assert broken.repair in EXPERIMENTS
