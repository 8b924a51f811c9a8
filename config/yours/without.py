"""`python -m config.yours.without WORD NAME…`, the last step of taking a part out (docs/recipes/taking-parts-out.md).

Lines of code with a word that begins with one of the names go, in any letter case; if such a line opens a bracket, all
up to where that is closed. The word is taken out of what has no lines to delete, a pattern goes if its file has gone,
imports that nobody needs any more go, and what is made from the code is made again.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from config.yours.app import ruff
from config.yours.refusal import refusing
from config.yours.rename import ROOT, make_again

DASHBOARD, RECORDED = "config/monitoring/grafana/dashboard.json", "tests/events/recorded.json"
CODE = ("apps", "config", "tests")
PATTERNS, COMPARED, PAGES = "apps/core/patterns.py", "docs/comparisons.json", "docs/patterns"
# name, idiom, file
ENTRY = re.compile(
    r'^    Pattern\(\n        "([^"\n]+)",\n        "[^\n]+",\n        "([^"\n]+)",\n.*?^    \),\n',
    re.MULTILINE | re.DOTALL,
)
# what a page shows of a file
SHOWN = re.compile(r"<!-- code: (\S+) .*?<!-- end -->\n\n", re.DOTALL)


def forget(root: Path, word: str, names: Sequence[str]) -> list[str]:
    """Do all of it; returns the files that changed, but for those that lose lines."""
    gone = lost_patterns(root)
    for file in [one for folder in CODE for one in sorted((root / folder).rglob("*.py")) if names]:
        # a file that stays as it is stays compiled
        if (text := less(before := file.read_text(), names)) != before:
            file.write_text(text)
    changed = [DASHBOARD, RECORDED, PATTERNS, COMPARED, PAGES]
    rewrite(root / DASHBOARD, lambda board: board | {"panels": list(panels(board["panels"], word))})
    rewrite(root / RECORDED, lambda events: {k: v for k, v in events.items() if not k.startswith(f"{word}.")})
    rewrite(root / COMPARED, lambda runs: [without(word, one) for one in runs if one["pattern"] not in gone], indent=2)
    for page in sorted((root / PAGES).glob("*.md")):
        there = SHOWN.sub(lambda shown: shown[0] if (root / shown[1]).exists() else "", page.read_text())
        page.write_text(there)
    ruff(root, "check", "--quiet", "--fix", "--select", "I,F401", ".")
    ruff(root, "format", "--quiet", ".")
    return changed + make_again(root)


def less(text: str, names: Sequence[str]) -> str:
    """A file's text without what has one of the names in it."""
    named = re.compile("|".join(rf"\b{re.escape(name)}" for name in names), re.IGNORECASE)
    kept, open_brackets = "", 0
    for line in text.splitlines(keepends=True):
        if open_brackets or named.search(line):
            opened = len(re.findall(r"[(\[{]", line)) - len(re.findall(r"[)\]}]", line))
            open_brackets = max(0, open_brackets + opened)
        else:
            kept += line
    return kept


def rewrite(file: Path, change: Any, indent: int = 1) -> None:
    """Change what a JSON file says."""
    file.write_text(json.dumps(change(json.loads(file.read_text())), indent=indent, ensure_ascii=False) + "\n")


def without(word: str, run: dict[str, Any]) -> dict[str, Any]:
    """A recorded comparison without the figures that are about the part."""
    sides = {side: {name: n for name, n in run[side].items() if word not in name} for side in ("naive", "ours")}
    return run | sides


def panels(there: list[dict[str, Any]], word: str) -> Iterator[dict[str, Any]]:
    """The panels without the part's metrics; one that shows nothing else goes."""
    metric = re.compile(rf"\b{word}s?(?:_|\b)")
    for panel in there:
        left = [one for one in panel.get("targets", []) if not metric.search(one["expr"])]
        if "targets" not in panel:
            yield panel
        elif left:
            yield panel | {"targets": left}


def lost_patterns(root: Path) -> set[str]:
    """Take the patterns whose file has gone out of the registry; returns their names."""
    text = (root / PATTERNS).read_text()
    gone = {name for name, file in ENTRY.findall(text) if not (root / file).exists()}
    (root / PATTERNS).write_text(ENTRY.sub(lambda found: "" if found[1] in gone else found[0], text))
    return gone


def main(words: list[str], root: Path = ROOT) -> int:
    """Run the command line; returns the exit status."""
    with refusing() as outcome:
        print("Written anew:", *forget(root, words[0], words[1:]), sep="\n  ")
    return outcome.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
