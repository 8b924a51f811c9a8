"""`make app`: a new app that works at once, and can be taken out without a trace."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from config.yours.app import main
from config.yours.names import Names, free, spelt
from config.yours.places import places
from config.yours.refusal import Refused
from tests.processes import ROOT
from tests.yours.conftest import Copy

# as long as names may be: every line and every index has to fit
APP, MODEL = "consignment_invoices", "ConsignmentInvoiceX"


@pytest.mark.parametrize(
    ("app", "model", "reason"),
    [
        ("", "Order", "lower-case"),
        ("Orders", "Order", "lower-case"),
        ("my-orders", "Order", "lower-case"),
        ("orders_", "Order", "lower-case"),
        ("2orders", "Order", "lower-case"),
        ("orders", "", "CamelCase"),
        ("orders", "order", "CamelCase"),
        ("orders", "My_Order", "CamelCase"),
        ("orders", "Orders", "plural"),
        ("order", "Order", "plural"),
        ("classes", "Class", "Python itself"),
        ("types", "Typ", "Python itself"),
        ("exceptions", "Exception", "Python itself"),
        ("x" * 21, "Order", "characters"),
        ("users", "Person", "there is apps/users already"),
        ("events", "Happening", "there is apps/events already"),
        ("stack", "Layer", "there is tests/stack already"),
        ("sessions", "Meeting", "something else"),
        ("auth", "Chore", "a route /auth already"),
        ("accounts", "User", "a class User already"),
        ("parcels", "Delivery", "a class Delivery already"),
    ],
)
def test_names_that_cannot_be_used_are_refused_before_anything_is_written(
    app: str, model: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(ROOT.glob("[at][pe][ps]*/*"))
    assert main([app, model]) == 1
    assert reason in capsys.readouterr().err
    assert sorted(ROOT.glob("[at][pe][ps]*/*")) == before


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Refused) as refused:
        spelt("Orders", "order")
    assert "NAME=Orders" in str(refused.value)
    assert "MODEL=order" in str(refused.value)
    with pytest.raises(Refused) as taken:
        free(ROOT, Names("users", "User"))
    assert len(str(taken.value).splitlines()) > 2


def test_every_place_is_there() -> None:
    for place in places(Names("orders", "Order")):
        text = (ROOT / place.file).read_text()
        assert place.take_out(place.add(text)) == text


def test_one_that_is_made_works_at_once_and_goes_without_a_trace(copy: Copy) -> None:
    before, mode = copy.texts(), copy.root.stat().st_mode
    copy.run("-m", "config.yours.app", APP, MODEL)
    assert copy.root.stat().st_mode == mode
    assert "there is apps/" in copy.run("-m", "config.yours.app", APP, MODEL, status=1)
    copy.run("-m", "ruff", "check", ".")
    copy.run("-m", "ruff", "format", "--check", ".")
    copy.run("-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))")
    its_own_tests_pass(copy)
    changed = copy.root / "apps" / APP / "rules.py"
    kept = changed.read_text()
    changed.write_text(kept + "# worked on\n")
    assert f"apps/{APP}/rules.py: not as it was made" in copy.run("-m", "config.yours.app", APP, MODEL, "1", status=1)
    changed.write_text(kept)
    copy.run("-m", "config.yours.app", APP, MODEL, "1")
    assert copy.texts() == before


def its_own_tests_pass(copy: Copy) -> None:
    """In a database of their own on the server of this run."""
    database = urlsplit(settings.ENV.database_url)._replace(path=f"/copy_{Path(settings.ENV.redis_url).name}").geturl()
    said = copy.run("-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/{APP}", DATABASE_URL=database)
    passed = re.search(r"(\d+) passed", said)
    assert passed
    assert int(passed[1]) >= 15
    words = ("manage.py", "makemigrations", "--check", "--dry-run", APP)
    assert "No changes detected" in copy.run(*words, DJANGO_SETTINGS_MODULE="config.settings.test")
