"""The recorded run in the documents: `python -m tests.performance.documents` writes its tables anew.

`make bench ARGS=--record` keeps a run in docs/performance.json and calls this; a test compares documents and run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from config.stack.plan import ROOT
from tests.performance.report import Value, figure

RECORD = ROOT / "docs" / "performance.json"
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "performance.md")
PLACE = re.compile(r"(<!-- bench: ([a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)
STACKS = ("this service", "plain DRF", "bare WSGI")
Run = dict[str, Any]


def filled(text: str, run: Run) -> str:
    """`text` with what belongs between each pair of its markers."""
    return PLACE.sub(lambda found: f"{found[1]}{_content(found[2], run)}{found[3]}", text)


def write() -> None:
    """Bring the documents in step with the recorded run."""
    run = json.loads(RECORD.read_text())
    for document in DOCUMENTS:
        document.write_text(filled(document.read_text(), run))


def _content(name: str, run: Run) -> str:
    if name == "run":
        return f"{_about(run['run'])}\n"
    if name == "summary":
        return _summary(run)
    section = run["sections"].get(name)
    if section is None:
        return "Not in the recorded run.\n"
    notes = "".join(f"- {note}\n" for note in section["notes"])
    return f"{_table(section['rows'])}\n{notes}"


def _about(about: Run) -> str:
    rough = "A quick run on a busy machine, so the figures are rough" if about["quick"] else "A whole run"
    parts = ("python", "django", "djangorestframework", "celery", "psycopg", "redis")
    versions = ", ".join(f"{part} {about[part]}" for part in parts)
    return (
        f"{rough}: {about['date']}, {about['machine']}, {about['cores']} cores, load {about['load']} at its start;\n"
        f"{versions}."
    )


def _summary(run: Run) -> str:
    """The README's table: a line for each request, a column for each stack."""
    section = run["sections"].get("http")
    if section is None:
        return "Not in the recorded run.\n"
    found = {(row["request"], row["stack"]): row for row in section["rows"]}
    unit = list(section["rows"][0])[2]
    rows = []
    for request in dict.fromkeys(row["request"] for row in section["rows"]):
        row: dict[str, Value] = {f"{unit} a request": request}
        row |= {stack: float(round(found[request, stack][unit])) for stack in STACKS}
        row["to plain DRF"] = float(found[request, STACKS[0]]["to plain DRF"])
        rows.append(row)
    return _table(rows)


def _table(rows: Sequence[dict[str, Value]]) -> str:
    columns = list(rows[0])
    numeric = [any(isinstance(row[column], int | float) for row in rows) for column in columns]
    lines = [columns, ["---:" if number else "---" for number in numeric]]
    lines += [[figure(row[column]) for column in columns] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    write()
