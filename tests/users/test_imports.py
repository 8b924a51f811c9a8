from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.core.refused_lines import Refusal
from apps.users import imports
from apps.users.import_lines import Line, NotImportable

pytestmark = pytest.mark.django_db(transaction=True)

MIXED = """email,name
ada@example.com,Ada
no-mail,Nobody
ADA@example.com,Ada again
taken@example.com,Taken
"grace@example.com","Hopper, Grace"
only-one-value
joan@example.com,
"""


def test_the_command_imports_a_file_and_its_status_says_whether_lines_were_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good.csv"
    good.write_text("email,name\nada@example.com,Ada\n")
    call_command("import_users", str(good), stdout=(printed := io.StringIO()))
    assert "1 created" in printed.getvalue()
    bad = tmp_path / "bad.ndjson"
    bad.write_text('{"email": "no-mail", "name": "x"}\n')
    with pytest.raises(SystemExit) as ended:
        call_command("import_users", str(bad), "--json", stdout=(printed := io.StringIO()))
    assert ended.value.code == 3
    assert json.loads(printed.getvalue())["rejected"] == 1


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_the_command_says_in_a_line_what_it_cannot_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_users", str(tmp_path / name))


def test_batches_take_about_a_second_on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine must still report within the lease of its job, and make progress within its time limit."""
    now = 0.0
    sizes: list[int] = []

    def import_batch(batch: Sequence[Line], *_: Any) -> list[Refusal]:
        nonlocal now
        # a line takes longer and longer
        now += len(batch) * 0.00001 * (1 if len(sizes) < 6 else 100)
        sizes.append(len(batch))
        return []

    monkeypatch.setattr(imports, "_import_batch", import_batch)
    monkeypatch.setattr(imports, "monotonic", lambda: now)
    body = b"email,name\n" + b"a@x.de,A\n" * 40_000
    with pytest.raises(NotImportable):
        imports.import_users(io.BytesIO(body), imports.CSV_TYPE)
    assert sizes[:6] == [500, 1000, 2000, 4000, 5000, 5000]
    assert sizes[6:10] == [5000, 2500, 1250, 625]
    assert all(size == 625 for size in sizes[10:-1])


LATIN = "email,name\nzoe@example.com,Zoë\n"


def test_the_command_skips_blank_rows_and_reads_a_charset(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes((",\n" + LATIN + ",\n").encode("cp1252"))
    call_command("import_users", str(file), "--charset", "windows-1252", stdout=(printed := io.StringIO()))
    assert "1 lines: 1 created, 0 rejected" in printed.getvalue()
    with pytest.raises(CommandError, match="one of: utf-8, us-ascii, utf-16"):
        call_command("import_users", str(file), "--charset", "ebcdic")
