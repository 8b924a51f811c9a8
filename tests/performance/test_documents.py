"""The README and docs/performance.md show the recorded run, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.performance.documents import DOCUMENTS, PLACE, RECORD, filled, merged

RUN = json.loads(RECORD.read_text())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_a_document_shows_the_recorded_run(document: Path) -> None:
    text = document.read_text()
    assert PLACE.search(text), "the document has no table of the bench"
    assert filled(text, RUN) == text, "python -m tests.performance.documents writes the tables anew"


def test_a_changed_figure_shows() -> None:
    other = json.loads(RECORD.read_text())
    for row in other["sections"]["http"]["rows"]:
        row["to plain DRF"] *= 3
    for document in DOCUMENTS:
        assert filled(document.read_text(), other) != document.read_text()


def test_a_part_that_was_not_measured_is_said() -> None:
    text = "<!-- bench: nothing -->\nold\n<!-- end -->"
    assert filled(text, RUN) == "<!-- bench: nothing -->\nNot in the recorded run.\n<!-- end -->"


def test_what_a_run_did_not_measure_stays_and_says_of_which_run_it_is() -> None:
    first, second, third = (
        {"date": f"2026-11-0{day}", "machine": "x", "load": 0.1, "quick": False} for day in (1, 2, 3)
    )
    table = {"rows": [{"a": 1}], "notes": []}
    record = {"run": first, "sections": {"http": table, "growth": table}}
    record = merged(record, second, {"growth": table}, whole=False)
    assert record["run"] == first
    record = merged(record, third, {"http": table}, whole=True)
    shown = filled("<!-- bench: http -->\n<!-- end --><!-- bench: growth -->\n<!-- end -->", record)
    http, growth = shown.split("<!-- bench: growth -->")
    assert "run of its own" not in http
    assert "- A run of its own: 2026-11-02, x, load 0.1 at its start." in growth
