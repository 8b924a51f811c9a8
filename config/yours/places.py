"""Where a new app is registered: each place is whole lines behind a line that is there, so that they come out again.

What the code finds by itself (receivers, events, tasks, the admin, metrics, routes' versions) has no place here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from config.yours.names import Names
from config.yours.refusal import Refused

# of a line, with its end
WIDTH = 121


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
    app, model, one, models = names.app, names.model, names.one, names.models
    return [
        Place("config/settings/base.py", r'^    "apps\.jobs",\n', f'    "apps.{app}",\n'),
        Place(
            "config/urls.py",
            r"^from apps\.jobs\.api\.urls import .*\n",
            f"from apps.{app}.api.urls import urlpatterns as {app}\n",
        ),
        Place("config/urls.py", r"^    \*webhooks,\n", f"    *{app},\n"),
        Place("pyproject.toml", r'^layers = \["tour", "', f"{app} | "),
        Place(
            "docs/data-retention.md",
            r"^\| `users_user`, `profiles_profile` .*\n",
            f"| `{app}_{model.lower()}` | their {names.nouns} |\n",
        ),
        Place(
            "config/container.py",
            r"^from apps\.jobs\.services import .*\n",
            f"from apps.{app} import commands as {app}\n"
            f"from apps.{app} import queries as {one}_queries\n"
            f"from apps.{app}.repositories import {', '.join(sorted((models, f'Django{models}')))}\n"
            f"from apps.{app}.services import {model}Service\n",
        ),
        Place(
            "config/container.py",
            r'^        """Where profiles are kept\."""\n        return SqlProfiles\(\)\n',
            f"\n    @cached_property\n    def {app}(self) -> {models}:\n"
            f'        """Where {names.nouns} are kept."""\n        return Django{models}()\n',
        ),
        Place("config/container.py", r"^        self\._wire_webhooks\(bus\)\n", f"        self._wire_{app}(bus)\n"),
        Place("config/container.py", r"^        return lambda command: drain\(\)\(command\.seconds\)\n", wiring(names)),
    ]


def wiring(names: Names) -> str:
    """The method of the composition root that registers the app's handlers."""
    app, model, one = names.app, names.model, names.one
    commands = {name: name.lower() for name in ("Create", "Change", "Close", "Delete")}
    asked = {f"Get{model}": f"get_{one}", f"List{names.models}": f"list_{app}", f"Get{model}Mail": f"get_{one}_mail"}
    return "".join(
        [
            f"\n    def _wire_{app}(self, bus: Bus) -> None:\n        service = {model}Service(self.{app})\n",
            *(registered(f"{app}.{name}{model}, service.{verb}") for name, verb in commands.items()),
            *(registered(f"{one}_queries.{name}, {one}_queries.{how}") for name, how in asked.items()),
        ]
    )


def registered(what: str) -> str:
    """The line that registers a handler, as ruff formats it."""
    line = f"        bus.register({what})\n"
    if len(line) <= WIDTH:
        return line
    inside = f"            {what}\n"
    if len(inside) > WIDTH:
        inside = "".join(f"            {word},\n" for word in what.split(", "))
    return f"        bus.register(\n{inside}        )\n"


def written(root: Path, names: Names, *, add: bool) -> dict[str, str]:
    """Each file that the app is registered in, with (`add`) or without it. Raises Refused."""
    files: dict[str, str] = {}
    for place in places(names):
        before = files.get(place.file) or (root / place.file).read_text(encoding="utf-8")
        files[place.file] = place.add(before) if add else place.take_out(before)
    return files
