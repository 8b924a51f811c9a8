"""`make app NAME=orders MODEL=Order`: a new app in the house's shape, registered wherever it must be, with its tests.

It has what a user owns, with a title and a state; go on from there. `REMOVE=1` takes it out again as long as it is as
it was made.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.management.commands.startapp import Command as StartApp

from config.yours.names import Names, free, spelt
from config.yours.places import written
from config.yours.refusal import Refused, refusing
from config.yours.rename import ROOT, make_again

TEMPLATE = Path("config/app_template")


def make(root: Path, names: Names) -> Iterator[str]:
    """Write the app and register it; yields what was written. Raises Refused before anything is."""
    free(root, names)
    changed = written(root, names, add=True)
    with rendered(root, names) as fresh:
        for path, made in zip(names.paths(root), names.paths(fresh), strict=True):
            (shutil.copytree if made.is_dir() else shutil.copy)(made, path)
    for file, text in changed.items():
        (root / file).write_text(text, encoding="utf-8")
    yield from (spoken(root, path) for path in names.paths(root))
    yield from changed
    yield from make_again(root)


def remove(root: Path, names: Names) -> Iterator[str]:
    """Take the app out; yields what was changed. Raises Refused, before anything is, if somebody worked on it."""
    changed = written(root, names, add=False)
    if worked := sorted(worked_on(root, names)):
        raise Refused(f"{', '.join(worked)}: not as it was made; delete the app by hand, see docs/recipes")
    for path in names.paths(root):
        yield spoken(root, path)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for file, text in changed.items():
        (root / file).write_text(text, encoding="utf-8")
        yield file
    yield from make_again(root)


def spoken(root: Path, path: Path) -> str:
    """The path as it is printed: a folder with a slash."""
    return f"{path.relative_to(root)}{'/' if path.is_dir() else ''}"


@contextmanager
def rendered(root: Path, names: Names) -> Iterator[Path]:
    """A folder with the app's files as they would be below `root`, filled by Django's startapp and formatted."""
    with TemporaryDirectory(prefix=".app-", dir=root) as scratch:
        # a dictionary as its options are: startapp hands all of them to the template
        options = {"extensions": ["py"], "files": [], "exclude": [], "verbosity": 0, "directory": scratch}
        with redirect_stdout(StringIO()):
            Quiet().handle(name=names.app, template=str(root / TEMPLATE), **options, **names.values())
        # what is not where it will be is not seen to be ours
        ours = "lint.isort.known-first-party = ['apps', 'config', 'tests']"
        ruff(root, "check", "--quiet", "--fix", "--select", "I", "--config", ours, scratch)
        ruff(root, "format", "--quiet", scratch)
        yield Path(scratch)


class Quiet(StartApp):
    """Django's startapp for a name that was checked before."""

    def validate_name(self, name: str, name_or_dir: str = "name") -> None:
        """Nothing: `spelt` and `free` have said all that is wrong at once."""


def ruff(root: Path, *words: str) -> None:
    """Run ruff there. Raises Refused with what it says."""
    done = subprocess.run([sys.executable, "-m", "ruff", *words], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stdout + done.stderr)


def worked_on(root: Path, names: Names) -> Iterator[str]:
    """The files of the app that are not as the template makes them."""
    with rendered(root, names) as fresh:
        there, made = contents(root, names), contents(fresh, names)
        yield from (file for file in there.keys() | made.keys() if there.get(file) != made.get(file))


def contents(root: Path, names: Names) -> dict[str, bytes]:
    """Every file of the app below `root`, except what Python compiled."""
    below = [path for own in names.paths(root) for path in (own, *own.rglob("*"))]
    files = [path for path in below if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def main(words: list[str], root: Path = ROOT) -> int:
    """Run the command line; returns the exit status."""
    parser = ArgumentParser(prog="make app NAME=orders MODEL=Order", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("model")
    parser.add_argument("remove", nargs="?", default="", metavar="REMOVE")
    given = parser.parse_args(words)
    with refusing() as outcome:
        names = spelt(given.name, given.model)
        act = remove if given.remove else make
        done = list(act(root, names))
        print(
            "Taken out:"
            if given.remove
            else f"A new app, apps/{names.app}, with its routes under /api/v1/{names.route}:"
        )
        print("\n".join(f"  {file}" for file in done))
        if given.remove:
            print(f"Its tables stay in databases that were migrated: run `manage.py migrate {names.app} zero` before.")
        else:
            print(
                f"Now: make check, and make test ARGS=tests/{names.app}. `make run` migrates when it is started again."
            )
    return outcome.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
