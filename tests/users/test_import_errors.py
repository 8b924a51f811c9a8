"""Every refused line of an import, as a file of the command."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.core import refused_lines
from apps.users import imports

pytestmark = pytest.mark.django_db(transaction=True)

LINES = 2500
BODY = "email,name\n" + "".join(f"no-mail-{i},X\n" for i in range(LINES)) + "ada@example.com,Ada\n"


def test_no_value_is_a_formula_to_a_spreadsheet() -> None:
    rows = refused_lines.as_csv(
        [refused_lines.Refusal(2, "code", "=1+1"), refused_lines.Refusal(3, "@x", "\tx")]
    ).decode()
    assert rows == "2,code,'=1+1\r\n3,'@x,'\tx\r\n"


class TestCommand:
    """manage.py import_users."""

    def test_it_writes_them_to_a_file(self, tmp_path: Path) -> None:
        source, output = tmp_path / "people.csv", tmp_path / "refused.csv"
        source.write_text(BODY)
        with pytest.raises(SystemExit) as ended:
            call_command("import_users", str(source), "--errors", str(output), stdout=(printed := io.StringIO()))
        assert ended.value.code == 3
        assert len(output.read_text().splitlines()) == LINES + 1
        assert f"and {LINES - 20} more; {output} has them all" in printed.getvalue()

    def test_one_that_cannot_be_written_is_named_before_anything_is_imported(self, tmp_path: Path) -> None:
        source = tmp_path / "people.csv"
        source.write_text(BODY)
        with pytest.raises(CommandError, match="cannot be written"):
            call_command("import_users", str(source), "--errors", str(tmp_path / "none" / "refused.csv"))

    def test_standard_input_and_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        text = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"email,name\na@x.de,A\nA@x.de,B\n")))
        monkeypatch.setattr("sys.stdin", text)
        with pytest.raises(SystemExit) as ended:
            call_command("import_users", "-", "--json", stdout=(printed := io.StringIO()))
        told = json.loads(printed.getvalue())
        assert (ended.value.code, told["created"], told["duplicates"]["in_file"]) == (3, 1, 1)

    def test_ctrl_c_is_a_line_and_a_status(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = tmp_path / "people.csv"
        source.write_text(BODY)

        def pressed(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(imports, "_import_batch", pressed)
        with pytest.raises(CommandError, match="run it again") as stopped:
            call_command("import_users", str(source))
        assert stopped.value.returncode == 130
