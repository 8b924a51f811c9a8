"""Files of settings: a message names the file and line of each problem, and shows nothing of the content."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.files import LARGEST_BYTES, read_env_file
from config.load import load
from config.reader import SettingsError
from tests.patterns.test_settings import GOOD
from tests.processes import ROOT

MARKER = "s3cr3t-marker"
LINES = [
    pytest.param(f"SECRET_KEY = {MARKER}".encode(), "is no NAME=value", id="blanks around ="),
    pytest.param(f"SECRET_KEY: {MARKER}".encode(), "is no NAME=value", id="colon"),
    pytest.param(f"SECRET_KEY={MARKER[:6]}\n{MARKER}".encode(), "is no NAME=value", id="a second line"),
    pytest.param(f"SECRET_KEY=a\nexport SECRET_KEY={MARKER}".encode(), "sets the variable of line 2 again", id="twice"),
    pytest.param(f"SECRET_KEY='{MARKER}".encode(), "has quotes that do not close", id="open quote"),
    pytest.param(f'SECRET_KEY="{MARKER}\\"'.encode(), "has quotes that do not close", id="escaped last quote"),
    pytest.param(f"SECRET_KEY='{MARKER}'{MARKER}'".encode(), "has quotes that do not close", id="three quotes"),
    pytest.param(f'SECRET_KEY={MARKER}"'.encode(), "has quotes that do not close", id="closing quote alone"),
    pytest.param(f"SECRET_KEY={MARKER} # of the office".encode(), "has a comment behind", id="comment"),
    pytest.param(f"SECRET_KEY='{MARKER}' # mine".encode(), "has a comment behind", id="comment behind quotes"),
    pytest.param(f"SECRET_KEY={MARKER}é".encode("latin-1"), "is not UTF-8", id="Latin-1"),
    pytest.param("# café".encode("latin-1"), "is not UTF-8", id="Latin-1 in a comment"),
    pytest.param(f"SECRET_KEY={MARKER}\0".encode(), "has a NUL in it", id="NUL"),
    pytest.param(f"SECRET_KEY={MARKER[:3]}\u2028{MARKER}".encode(), "has a control character", id="line separator"),
    pytest.param(f"SECRET_KEY={MARKER[:3]}\r{MARKER}".encode(), "has a control character", id="lone CR"),
]


def refused(profile: str = "development") -> list[str]:
    with pytest.raises(SettingsError) as error:
        load(profile)  # type: ignore[arg-type] # a name of a profile
    return error.value.problems


@pytest.mark.parametrize(("content", "said"), LINES)
@pytest.mark.parametrize("name", [".env", "env"])
def test_a_bad_line_is_told_by_its_number_and_not_shown(
    root: Path, name: str, content: bytes, said: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIR", str(root))
    good = "DATABASE_URL=postgres://app@db/app\nREDIS_URL=redis://cache:6379/0\n"
    (root / name).write_bytes(b"# a comment\n" + content + b"\n")
    (root / ({".env", "env"} - {name}).pop()).write_text(good)
    caplog.set_level(logging.DEBUG)
    (problem,) = refused()
    line = 2 + content.count(b"\n")
    assert problem.startswith(f"{root / name}, line {line} {said}")
    assert MARKER not in problem + caplog.text


def test_a_utf16_file_is_one_problem(root: Path) -> None:
    (root / ".env").write_bytes(f"SECRET_KEY={MARKER}\n".encode("utf-16"))
    problem, *missing = refused()
    assert problem.startswith(f"{root / '.env'}, line 1 has a NUL in it")
    assert all(" is missing" in other for other in missing)


def test_a_folder_a_link_to_nothing_and_a_huge_file(root: Path) -> None:
    env = root / ".env"
    env.mkdir()
    assert refused()[0] == f"{env} cannot be read: Is a directory"
    env.rmdir()
    env.symlink_to(root / "nowhere")
    assert refused()[0] == f"{env} is a link to a file that is not there"
    env.unlink()
    env.write_bytes(b"#" * (LARGEST_BYTES + 1))
    assert refused()[0] == f"{env} is larger than {LARGEST_BYTES} bytes: that is no file of settings"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(root: Path) -> None:
    (root / ".env").touch(mode=0)
    assert refused()[0] == f"{root / '.env'} cannot be read: Permission denied"


def test_all_that_is_wrong_comes_at_once(root: Path, refusal: object, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**GOOD, "DEBUG": "maybe"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SECRET_KEY")
    (root / ".env").write_text("SECRET_KEY = x\nLOG_LEVEL=loud\nnonsense\n")
    words = [problem.removeprefix(f"{root}/")[:14] for problem in refused("production")]
    assert words == [".env, line 1 i", ".env, line 3 i", "LOG_LEVEL is m", "DEBUG is malfo"]


def test_a_file_of_garbage_does_not_fill_the_screen(root: Path) -> None:
    (root / ".env").write_text("garbage\n" * 5000)
    read = read_env_file(root / ".env")
    assert len(read.problems) == 21
    assert read.problems[-1] == f"{root / '.env'} has 4980 more lines with problems"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("API_TITLE=plain", "plain"),
        ("  export  API_TITLE=plain  ", "plain"),
        ("API_TITLE='single $HOME \\n \"x\"'", 'single $HOME \\n "x"'),
        ("API_TITLE='\"both\"'", '"both"'),
        (r'API_TITLE="double \"quoted\" $HOME"', 'double "quoted" $HOME'),
        ("API_TITLE=$k0123", "$k0123"),
        ("API_TITLE=$HOME", "$HOME"),
        ("API_TITLE=$API_TITLE", "$API_TITLE"),
        ("API_TITLE=a#b", "a#b"),
        ("API_TITLE='My #1'", "My #1"),
        ("API_TITLE=Ada's", "Ada's"),
        ("API_TITLE=Grüße", "Grüße"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_good_line_is_taken_as_it_is(root: Path, line: str, value: str, end: str) -> None:
    lines = ["\ufeff# saved by Notepad", "   ", line, "DATABASE_URL=postgres://app@db/app", "REDIS_URL=redis://cache/0"]
    (root / ".env").write_bytes(end.join(lines).encode())
    assert load("development").api_title == value


@pytest.mark.parametrize("value", ["$k0123", "$HOME", "$API_TITLE", "\\$x", "%(HOME)s", "{{HOME}}"])
def test_the_environment_is_taken_as_it_is(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TITLE", value)
    assert load("test").api_title == value


def test_no_entry_point_shows_a_line(tmp_path: Path) -> None:
    """Not even in what libraries log before our logging is set up."""
    (tmp_path / "env").write_text(f"SECRET_KEY = {MARKER}\n")
    environment = os.environ | {"STATE_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings.development"}
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert f"{tmp_path / 'env'}, line 1 is no NAME=value" in said
    assert "Traceback" not in said
    assert MARKER not in said
