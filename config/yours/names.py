"""The names of a new app, all made from two: NAME=purchase_orders MODEL=PurchaseOrder."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from config.yours.refusal import Refused

# what is made of a name has to fit: an index of PostgreSQL's has 30 characters, a line 120
LONGEST = 20
EXAMPLE = "make app NAME=orders MODEL=Order"
APP = re.compile(r"[a-z]+(?:_[a-z0-9]+)*")
MODEL = re.compile(r"(?:[A-Z][a-z0-9]*)+")
# Django's own apps have these labels, and the code around a new app uses these names
TAKEN = {"admin", "auth", "contenttypes", "sessions", "messages", "staticfiles", "apps", "tests", "config", "settings"}
USED = {"env", "bus", "self", "api", "cache", "breakers", "partial", "datetime", "container", "service", "wire"}


@dataclass(frozen=True)
class Names:
    """How the app is called in each place: `app` and `model` as given, the others made from them."""

    app: str
    model: str

    @property
    def one(self) -> str:
        """One of them, in Python: purchase_order."""
        return snake(self.model)

    @property
    def models(self) -> str:
        """Many of them, as a class: PurchaseOrders."""
        return "".join(word.capitalize() for word in self.app.split("_"))

    @property
    def noun(self) -> str:
        """One of them, in a sentence."""
        return self.one.replace("_", " ")

    @property
    def nouns(self) -> str:
        """Many of them, in a sentence."""
        return self.app.replace("_", " ")

    @property
    def a_noun(self) -> str:
        """One of them, with its article."""
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"

    @property
    def route(self) -> str:
        """Many of them, in a path."""
        return self.app.replace("_", "-")

    def paths(self, root: Path) -> list[Path]:
        """What is the app's own below `root`."""
        return [root / "apps" / self.app, root / "tests" / self.app, root / "config" / "wiring" / f"{self.app}.py"]

    def values(self) -> dict[str, str]:
        """What the template's files take; `open` is a brace that Django's templates leave alone."""
        names = ("app", "model", "one", "models", "noun", "nouns", "a_noun", "route")
        return {name: getattr(self, name) for name in names} | {"open": "{"}


def snake(model: str) -> str:
    """PurchaseOrder → purchase_order."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", model).lower()


def spelt(app: str, model: str) -> Names:
    """The names, if they are spelt as such names are. Raises Refused with all that is wrong with them."""
    problems = []
    if not APP.fullmatch(app):
        problems.append(f"NAME={app}: an app has lower-case letters and single underscores, e.g. {EXAMPLE}")
    if not MODEL.fullmatch(model):
        problems.append(f"MODEL={model}: a model is a class, in CamelCase and the singular, e.g. {EXAMPLE}")
    problems += [f"{name} has more than {LONGEST} characters" for name in (app, model) if len(name) > LONGEST]
    if not problems:
        names = Names(app, model)
        if names.models == model or names.one == app:
            problems.append(
                f"NAME={app} MODEL={model}: the app has the plural and the model the singular, e.g. {EXAMPLE}"
            )
        problems += [
            f"{name}: Python itself has this name"
            for name in (app, names.one)
            if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in sys.stdlib_module_names
        ]
        problems += [f"MODEL={model}: Python itself has this name" for name in (model,) if hasattr(builtins, name)]
    if problems:
        raise Refused("\n".join(problems))
    return Names(app, model)


def free(root: Path, names: Names) -> None:
    """Raises Refused with all that has one of the names already."""
    problems = [
        f"NAME={names.app}: there is {path.relative_to(root)} already" for path in names.paths(root) if path.exists()
    ]
    if names.app in TAKEN | USED or names.one in USED:
        problems.append(f"NAME={names.app}: the service uses this name for something else")
    code = {path: path.read_text(encoding="utf-8") for path in sorted((root / "apps").rglob("*.py"))}
    for what, pattern in {
        f"a class {names.model}": rf"^class {names.model}\b",
        f"a route /{names.route}": rf'\bpath\("{re.escape(names.route)}["/]',
        f"events {names.one}.…": rf'ClassVar\[str\] = "{names.one}\.',
    }.items():
        if places := [path for path, text in code.items() if re.search(pattern, text, re.MULTILINE)]:
            problems.append(f"{places[0].relative_to(root)} has {what} already")
    if problems:
        raise Refused("\n".join(problems))
