"""The recorded run in the documents: `python -m tests.performance.documents` writes its tables anew.

`make bench ARGS=--record` keeps a run in docs/performance.json and writes them, and the pages in docs/patterns; tests
compare documents and run. What a run did not measure stays, and says that it is of another run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from config.stack.plan import ROOT
from tests.docs import blocks
from tests.performance.report import Value, figure

RECORD = ROOT / "docs" / "performance.json"
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "performance.md")
PLACE = re.compile(r"(<!-- bench: ([a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)
STACKS = ("this service", "plain DRF", "bare WSGI")
# a record: what is known of its run, and its sections by name
Record = dict[str, Any]
About = dict[str, Any]
Table = dict[str, Any]


def keep(run: About, sections: Mapping[str, Table], *, whole: bool) -> None:
    """Record what was measured, and bring the documents in step."""
    write_json(RECORD, merged(json.loads(RECORD.read_text()), run, sections, whole=whole))
    write()
    blocks.write()


def write_json(path: Path, record: Record) -> None:
    """Write a record, numbers unrounded."""
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def merged(before: Record, run: About, sections: Mapping[str, Table], *, whole: bool) -> Record:
    """The record with newly measured `sections`; one that is not of the record's own run has a `run` of its own."""
    if whole:
        kept = {name: {"run": before["run"], **section} for name, section in before["sections"].items()}
        return {"run": run, "sections": kept | dict(sections)}
    apart = {name: section | {"run": run} for name, section in sections.items()}
    return {"run": before["run"], "sections": before["sections"] | apart}


def filled(text: str, record: Record) -> str:
    """`text` with what belongs between each pair of its markers."""
    return PLACE.sub(lambda found: f"{found[1]}{_content(found[2], record)}{found[3]}", text)


def write() -> None:
    """Bring the documents in step with the recorded run."""
    record = json.loads(RECORD.read_text())
    for document in DOCUMENTS:
        document.write_text(filled(document.read_text(), record))


def _content(name: str, record: Record) -> str:
    if name == "run":
        return f"{_about(record['run'])}\n"
    if name == "summary":
        return _summary(record)
    section = record["sections"].get(name)
    if section is None:
        return "Not in the recorded run.\n"
    apart = [_apart(section["run"])] if "run" in section else []
    notes = "".join(f"- {note}\n" for note in [*section["notes"], *apart])
    return f"{_table(section['rows'])}\n{notes}"


def _about(about: About) -> str:
    rough = "A quick run on a busy machine, so the figures are rough" if about["quick"] else "A whole run"
    parts = ("python", "django", "djangorestframework", "celery", "psycopg", "redis")
    versions = ", ".join(f"{part} {about[part]}" for part in parts)
    return (
        f"{rough}: {about['date']}, {about['machine']}, {about['cores']} cores, load {about['load']} at its start;\n"
        f"{versions}."
    )


def _apart(about: About) -> str:
    quick = "quick " if about["quick"] else ""
    return f"A {quick}run of its own: {about['date']}, {about['machine']}, load {about['load']} at its start."


def _summary(record: Record) -> str:
    """The README's table: a line for each request, a column for each stack."""
    section = record["sections"].get("http")
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
