"""`make rename`: one name, changed in one go wherever it shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from email.utils import parseaddr
from pathlib import Path

import pytest
import yaml

from config.product import NAME, SLUG
from config.yours.refusal import Refused
from config.yours.rename import MADE, TEXTS, checked_name, checked_slug, main, slug_of
from tests.processes import ROOT
from tests.yours.conftest import Copy

# what a shell, YAML, JSON, TOML, HTML, a mail header or Python could trip over
OURS = 'Müller & Söhne\'s "Best": 1st, Ltd.'
IDENTIFIER = "mueller-soehnes-best-1st-ltd"
# tell what was
HISTORY = {"CHANGELOG.md", "LICENSE"}
SAYS = """
import json, django
django.setup()
from django.conf import settings
from django.contrib import admin
from django.template import engines
from apps.core.backoffice import site
from config.celery import app
print(json.dumps({
    "celery": app.main, "broker": app.conf.broker_transport_options["global_keyprefix"],
    "cache": settings.CACHES["default"]["KEY_PREFIX"], "valkey": settings.VALKEY_PREFIX,
    "database": settings.DATABASES["default"]["OPTIONS"]["application_name"], "admin": admin.site.site_header,
    "api": settings.SPECTACULAR_SETTINGS["TITLE"], "sender": settings.DEFAULT_FROM_EMAIL,
    "page": engines["django"].from_string("{% load product %}{% product_name %}").render(),
}))
"""


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme Shop", "acme-shop"),
        ("Müller & Söhne", "mueller-soehne"),
        ('Bob\'s  2nd "Bar"', "bobs-2nd-bar"),
        ("Crème Brûlée \u2013 Öl", "creme-brulee-oel"),
        ("A very long name that goes on and on for ever", "a-very-long-name-that-goes-on-an"),
    ],
)
def test_an_identifier_is_made_from_the_name(name: str, slug: str) -> None:
    assert slug_of(checked_name(name)) == slug == checked_slug(slug)


@pytest.mark.parametrize("name", ["", "  ", "a\nb\x00", "x" * 51, "a <b>", "a\\b", "50% $", "日本"])
def test_a_name_that_cannot_be_used_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = (ROOT / "config" / "product.py").read_text()
    assert main([name]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert (ROOT / "config" / "product.py").read_text() == before


@pytest.mark.parametrize("slug", ["A", "a", "1a", "a--b", "a-", "a_b", "ä", "x" * 33])
def test_an_identifier_that_cannot_be_used_is_refused(slug: str) -> None:
    with pytest.raises(Refused, match="no identifier"):
        checked_slug(slug)


def test_every_place_is_there() -> None:
    for pattern, place, _ in TEXTS:
        assert all(re.search(place, path.read_text(), re.MULTILINE) for path in ROOT.glob(pattern)), place
        assert list(ROOT.glob(pattern)), pattern


def test_it_changes_everywhere_in_one_go_and_the_second_time_nothing(copy: Copy) -> None:
    said = copy.run("-m", "config.yours.rename", OURS)
    texts = copy.texts()
    assert {file for file in texts if SLUG in file or file in said} == {
        line.strip() for line in said.splitlines() if line.startswith("  ")
    }
    left = [
        f"{file}: {line}"
        for file, text in texts.items()
        if file not in HISTORY
        for line in text.splitlines()
        if NAME in line or SLUG in line
    ]
    assert left == [], "the old name is still there"
    assert "nothing had to be changed" in copy.run("-m", "config.yours.rename", OURS)
    assert copy.texts() == texts
    every_file_can_still_be_read(copy.root)
    what_runs_has_the_name(json.loads(copy.run("-c", SAYS, DJANGO_SETTINGS_MODULE="config.settings.test")))
    copy.run("-m", "ruff", "format", "--check", "config/product.py", "config/env.py")
    copy.run("-m", "ruff", "check", "config/product.py")


def every_file_can_still_be_read(root: Path) -> None:
    dashboard = json.loads((root / "config/monitoring/grafana/dashboard.json").read_text())
    assert (dashboard["title"], dashboard["uid"], dashboard["tags"]) == (OURS, IDENTIFIER, [IDENTIFIER])
    assert tomllib.loads((root / "pyproject.toml").read_text())["project"]["name"] == IDENTIFIER
    assert yaml.safe_load((root / "openapi.yaml").read_text())["info"]["title"] == f"{OURS} API"
    services = yaml.safe_load((root / "docker-compose.yml").read_text())["services"]
    assert services["web"]["image"] == f"${{IMAGE:-{IDENTIFIER}}}"
    assert (root / f"config/deploy/systemd/{IDENTIFIER}-web.socket").exists()
    assert {".env.example", "openapi.yaml"} <= set(MADE)


def what_runs_has_the_name(said: dict[str, str]) -> None:
    assert parseaddr(said.pop("sender")) == (OURS, "no-reply@example.com")
    assert said.pop("page") == "Müller &amp; Söhne&#x27;s &quot;Best&quot;: 1st, Ltd."
    assert said == {
        "celery": IDENTIFIER,
        "broker": f"{IDENTIFIER}:",
        "cache": IDENTIFIER,
        "valkey": f"{IDENTIFIER}:",
        "database": IDENTIFIER,
        "admin": OURS,
        "api": f"{OURS} API",
    }


@pytest.mark.parametrize(
    ("words", "environment", "handed"),
    [
        ((f"NAME={OURS}", "SLUG=acme"), {}, [OURS, "acme"]),
        ((f"NAME={OURS}",), {"NAME": "of-the-machine", "SLUG": "too"}, [OURS, ""]),
        ((), {"NAME": "of-the-machine"}, ["", ""]),
    ],
)
def test_make_hands_over_what_was_typed(words: tuple[str, ...], environment: dict[str, str], handed: list[str]) -> None:
    command = ["make", "--no-print-directory", "--old-file=dev", "rename", "VENV=printf '%s|'", *words]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("|")[:-1] == ["-m", "config.yours.rename", *handed]


def test_make_does_not_swallow_a_dollar_sign() -> None:
    command = ["make", "--old-file=dev", "rename", "NAME=a$b"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "NAME must have no dollar sign" in done.stderr
