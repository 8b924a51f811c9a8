"""The pages of the patterns show the code as it is, and every one has the same parts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.stack.plan import ROOT
from tests.docs.blocks import BLOCK, FOLDER, NoSuchName, documents, excerpt, filled, pages

PARTS = [
    "In Django",
    "What breaks without it",
    "What it costs",
    "Take it home",
    "When not to use it",
    "Read on",
]
# what a person reads in five minutes
MOST_WORDS = 1100


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
class TestPage:
    """One page of docs/patterns/."""

    def test_it_has_all_parts_in_order(self, page: Path) -> None:
        text = page.read_text()
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
        assert {kind for kind, _ in BLOCK.findall(text)} == {"code", "compare", "costs", "take", "next"}

    def test_it_is_read_in_five_minutes(self, page: Path) -> None:
        assert len(page.read_text().split()) <= MOST_WORDS

    def test_its_links_lead_somewhere(self, page: Path) -> None:
        targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
        assert missing == []


@pytest.mark.parametrize("document", documents(), ids=lambda document: f"{document.parent.name}/{document.stem}")
def test_it_shows_the_code_and_the_figures_of_now(document: Path) -> None:
    assert filled(document.read_text()) == document.read_text(), "python -m tests.docs.blocks writes them anew"


def test_each_pattern_has_a_page_and_nothing_else_does() -> None:
    assert {page.name for page in FOLDER.glob("*.md")} == {"README.md", *(page.name for page in pages())}


def test_an_excerpt_is_found_by_its_name_wherever_it_stands() -> None:
    shown = excerpt("apps/core/bus.py", "Bus.execute")
    first = next(
        number
        for number, line in enumerate((ROOT / "apps/core/bus.py").read_text().splitlines(), 1)
        if "def execute(" in line
    )
    assert f"apps/core/bus.py#L{first}" in shown
    assert "\n```python\ndef execute(" in shown
    with pytest.raises(NoSuchName, match=r"apps/core/bus\.py: Bus\.gone"):
        excerpt("apps/core/bus.py", "Bus.gone")


def test_a_changed_line_shows() -> None:
    page = pages()[0]
    changed = page.read_text().replace("def update(", "def update_it(", 1)
    assert filled(changed) == page.read_text()
