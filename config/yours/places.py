"""Where a new app is registered: each place is whole lines behind a line that is there, so that they come out again.

What the code finds by itself (handlers, routes, receivers, events, tasks, the admin, metrics) has no place here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from config.yours.names import Names
from config.yours.refusal import Refused


@dataclass(frozen=True)
class Place:
    """`lines` go into `file` right behind the last match of `behind` (a regular expression)."""

    file: str
    behind: str
    lines: str

    def add(self, text: str) -> str:
        """`text` with the lines in it. Raises Refused if their place is not there any more."""
        found = list(re.finditer(self.behind, text, re.MULTILINE))
        if not found:
            raise Refused(f"{self.file} has no place for the app any more: nothing like {self.behind!r}")
        at = found[-1].end()
        return text[:at] + self.lines + text[at:]

    def take_out(self, text: str) -> str:
        """`text` without the lines. Raises Refused if they were changed."""
        if self.lines not in text:
            raise Refused(f"{self.file} no longer has what was put into it:\n{self.lines.strip()}")
        return text.replace(self.lines, "", 1)


def places(names: Names) -> list[Place]:
    """Every place of the app."""
    app, model = names.app, names.model
    return [
        Place("config/settings/base.py", r'^    "apps\.[a-z]+",\n(?=    "apps\.tour",\n)', f'    "apps.{app}",\n'),
        Place("pyproject.toml", r'^layers = \["tour", "', f"{app} | "),
        Place(
            "docs/data-retention.md",
            r"^\| `users_user`, `profiles_profile` .*\n",
            f"| `{app}_{model.lower()}` | their {names.nouns} |\n",
        ),
    ]


def written(root: Path, names: Names, *, add: bool) -> dict[str, str]:
    """Each file that the app is registered in, with (`add`) or without it. Raises Refused."""
    files: dict[str, str] = {}
    for place in places(names):
        before = files.get(place.file) or (root / place.file).read_text(encoding="utf-8")
        files[place.file] = place.add(before) if add else place.take_out(before)
    return files
