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
from contextlib import redirect_stdout
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
    for folder in folders(root, names).values():
        folder.mkdir()
    render(root, names, folders(root, names))
    for file, text in changed.items():
        (root / file).write_text(text, encoding="utf-8")
    ruff(root, "check", "--quiet", "--fix", "--select", "I", *(file for file in changed if file.endswith(".py")))
    yield from (f"{folder.relative_to(root)}/" for folder in folders(root, names).values())
    yield from changed
    yield from make_again(root)


def remove(root: Path, names: Names) -> Iterator[str]:
    """Take the app out; yields what was changed. Raises Refused, before anything is, if somebody worked on it."""
    changed = written(root, names, add=False)
    if worked := sorted(worked_on(root, names)):
        raise Refused(f"{', '.join(worked)}: not as it was made; delete the app by hand, see docs/recipes")
    for folder in folders(root, names).values():
        shutil.rmtree(folder)
        yield f"{folder.relative_to(root)}/"
    for file, text in changed.items():
        (root / file).write_text(text, encoding="utf-8")
        yield file
    yield from make_again(root)


def folders(root: Path, names: Names) -> dict[str, Path]:
    """Where each half of the template goes."""
    return {"app": root / "apps" / names.app, "tests": root / "tests" / names.app}


def render(root: Path, names: Names, targets: dict[str, Path]) -> None:
    """Fill the folders from the template, by Django's startapp, and format them."""
    for part, target in targets.items():
        # a dictionary as its options are: startapp hands all of them to the template
        options = {"extensions": ["py"], "files": [], "exclude": [], "verbosity": 0, "directory": str(target)}
        with redirect_stdout(StringIO()):
            Quiet().handle(name=names.app, template=str(root / TEMPLATE / part), **options, **names.values())
    paths = [str(target) for target in targets.values()]
    ruff(root, "check", "--quiet", "--fix", "--select", "I", *paths)
    ruff(root, "format", "--quiet", *paths)


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
    with TemporaryDirectory(prefix=".app-", dir=root) as scratch:
        fresh = {part: Path(scratch) / part for part in folders(root, names)}
        for folder in fresh.values():
            folder.mkdir()
        render(root, names, fresh)
        for part, folder in folders(root, names).items():
            there, made = contents(folder), contents(fresh[part])
            yield from (
                f"{folder.relative_to(root)}/{file}"
                for file in there.keys() | made.keys()
                if there.get(file) != made.get(file)
            )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, except what Python compiled."""
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


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
