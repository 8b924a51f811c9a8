"""What README and docs/patterns/ show of the code and of recorded runs: `python -m tests.docs.blocks` writes it anew.

Between `<!-- code: FILE NAME -->` and `<!-- end -->` stands the source of that name, found by parsing the file, so it
cannot go stale: a test compares. Likewise `compare: PATTERN` (docs/comparisons.json, from `manage.py compare`), `costs:
PATTERN` (docs/performance.json), `take: PATTERN` and `next: PATTERN` (apps/core/patterns.py). `headlines: FOLDER` has
what each pattern prevents, with links to the pages in FOLDER, and `registry: all` the table of where each stands.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

from apps.core.patterns import PATTERNS, Pattern
from apps.core.text import in_words
from config.stack.plan import ROOT

FOLDER = ROOT / "docs" / "patterns"
COMPARISONS, PERFORMANCE = ROOT / "docs" / "comparisons.json", ROOT / "docs" / "performance.json"
BLOCK = re.compile(r"<!-- (code|compare|costs|take|next|headlines|registry): ([^\n]+?) -->\n.*?<!-- end -->", re.DOTALL)
UP = "../.."


class NoSuchName(LookupError):
    """A block asks for a name that the file does not define."""


def pages() -> list[Path]:
    """The page of each pattern, in the patterns' order."""
    return [FOLDER / f"{pattern.slug}.md" for pattern in PATTERNS]


def documents() -> list[Path]:
    """All that has blocks: the pages, their index, and the README."""
    return [*pages(), FOLDER / "README.md", ROOT / "README.md"]


def filled(text: str) -> str:
    """`text` with what belongs between each pair of its markers."""
    return BLOCK.sub(_block, text)


def _block(found: re.Match[str]) -> str:
    kind, about = found[1], found[2]
    makers: dict[str, Callable[[str], str]] = {
        "code": lambda words: excerpt(*words.split()),
        "compare": _comparison,
        "costs": lambda name: _costs(_pattern(name)),
        "take": lambda name: _files(_pattern(name)),
        "next": lambda name: _neighbours(_pattern(name)),
        "headlines": _headlines,
        "registry": lambda _: _registry(),
    }
    return f"<!-- {kind}: {about} -->\n{makers[kind](about)}\n<!-- end -->"


def excerpt(file: str, name: str) -> str:
    """The definition of `name` ("publish", "Bus.execute", "COUNT") in `file`, with its place. Raises NoSuchName."""
    source = (ROOT / file).read_text()
    node = _defined(ast.parse(source), name.split("."), f"{file}: {name}")
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    lines = source.splitlines()[first - 1 : node.end_lineno]
    code = dedent("\n".join(lines))
    return f"[`{file}`, line {first}]({UP}/{file}#L{first})\n\n```python\n{code}\n```"


def _defined(tree: Any, names: list[str], told: str) -> Any:
    for node in tree.body:
        if names[0] in _names(node):
            return _defined(node, names[1:], told) if names[1:] else node
    raise NoSuchName(told)


def _names(node: Any) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [node.name] if hasattr(node, "name") else [target.id for target in targets if isinstance(target, ast.Name)]


def _pattern(name: str) -> Pattern:
    return next(pattern for pattern in PATTERNS if pattern.name == name)


@cache
def _recorded(file: Path) -> Any:
    return json.loads(file.read_text()) if file.exists() else {}


def _comparison(name: str) -> str:
    run = next((one for one in _recorded(COMPARISONS) or [] if one["pattern"] == name), None)
    if run is None:
        return "Not in the recorded run."
    rows = [
        f"| {in_words(figure)} | {_shown(run['naive'].get(figure))} | {_shown(run['ours'].get(figure))} |"
        for figure in {**run["naive"], **run["ours"]}
    ]
    table = "\n".join(["| counted | without it | here |", "| --- | ---: | ---: |", *rows])
    naive = f"[`{run['naive_file']}`]({UP}/{run['naive_file']})"
    headline = run["headline"][:1].upper() + run["headline"][1:]
    note = f"{run['note']}\n\n" if run["note"] else ""
    return (
        f"{run['experiment']}\n\n{table}\n\n{note}**{headline}.** {run['promise']} What one writes without it: {naive}."
        f' `manage.py compare "{name}"` runs both again.'
    )


def _headlines(folder: str) -> str:
    lines = ["| pattern | in Django | without it → here |", "| --- | --- | --- |"]
    for pattern in PATTERNS:
        run: dict[str, Any] = next((one for one in _recorded(COMPARISONS) or [] if one["pattern"] == pattern.name), {})
        link = f"[{pattern.name}]({folder.rstrip('/')}/{pattern.slug}.md)"
        lines.append(f"| {link} | {pattern.idiom} | {run.get('headline', '')} |")
    return "\n".join(lines)


def _registry() -> str:
    lines = ["| pattern | Django idiom | file | test | when not to use it |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {p.name} | {p.idiom} | `{p.file}` | `{p.test}` | {p.when_not} |" for p in PATTERNS]
    return "\n".join(lines)


def _shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:,}"


def _costs(pattern: Pattern) -> str:
    lines = sum(len((ROOT / file).read_text().splitlines()) for file in pattern.take)
    files = len(pattern.take)
    said = f"{lines} lines in {files} file{'' if files == 1 else 's'}, comments and docstrings included."
    section = _recorded(PERFORMANCE).get("sections", {}).get("layers", {"rows": []})
    rows = [row for row in section["rows"] if row["pattern"].lower() == pattern.name.lower()]
    if not rows:
        return said
    unit = list(rows[0])[2]
    table = [f"| part | {unit} | SQL | round trips |", "| --- | ---: | ---: | ---: |"]
    for row in rows:
        cost = row[unit] if isinstance(row[unit], str) else f"{row[unit]:.3g}"
        table.append(f"| {row['layer']} | {cost} | {row['SQL']} | {row['DB trips'] + row['Valkey trips']} |")
    return f"{said} From a recorded run of `make bench` ([all of it](../performance.md)):\n\n" + "\n".join(table)


def _files(pattern: Pattern) -> str:
    links = "\n".join(f"- [`{file}`]({UP}/{file})" for file in pattern.take)
    return f"{links}\n\nThe test: [`{pattern.test}`]({UP}/{pattern.test})"


def _neighbours(pattern: Pattern) -> str:
    here = PATTERNS.index(pattern)
    before, after = PATTERNS[here - 1], PATTERNS[(here + 1) % len(PATTERNS)]
    return f"Before: [{before.name}]({before.slug}.md) · Next: [{after.name}]({after.slug}.md)"


def write() -> None:
    """Bring the pages in step with the code and the recorded runs."""
    for document in documents():
        document.write_text(filled(document.read_text()))


if __name__ == "__main__":
    write()
