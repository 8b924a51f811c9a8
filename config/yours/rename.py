"""`make rename NAME="Acme Shop"`: gives the product another name, in every file that cannot read config/product.py.

`SLUG=acme` names what identifiers begin with, if the one made from the name does not please. Run twice, the second time
changes nothing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from config.yours.refusal import Refused, refusing

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = "config/product.py"
LONGEST_NAME = 50
# a Linux account has up to 32 characters
SLUG = re.compile(r"[a-z](?:-?[a-z0-9]){1,31}")
# each means something in a file, a mail header or a shell that the name gets into
FORBIDDEN = re.compile(r"""[<>\\`$#{}%\[\]*_|]""")
GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "ł": "l", "æ": "ae"})
Text = Callable[[str, str], str]


def as_json(name: str, slug: str) -> str:
    """The name inside a JSON text."""
    return json.dumps(name, ensure_ascii=False)[1:-1]


def plain(name: str, slug: str) -> str:
    """The name as it is."""
    return name


def slugged(name: str, slug: str) -> str:
    """The identifier."""
    return slug


# file; what stands before, the old text, what stands after; the new text
TEXTS: tuple[tuple[str, str, Text], ...] = (
    ("README.md", r"^(# )(.+?)(: a Django backend .*)$", plain),
    ("pyproject.toml", r'^(\[project\]\nname = ")(.+?)(")$', slugged),
    ("docker-compose.yml", r"(\$\{IMAGE:-)(.+?)(\})", slugged),
    ("tests/containers/compose.yml", r"(\$\{IMAGE:-)(.+?)(\})", slugged),
    ("config/monitoring/grafana/dashboard.json", r'^( "uid": ")(.+?)(",)$', slugged),
    ("config/monitoring/grafana/dashboard.json", r'^( "title": ")(.+?)(",)$', as_json),
    ("config/monitoring/grafana/dashboard.json", r'^( "tags": \[\n  ")(.+?)(")$', slugged),
    ("config/deploy/systemd/*-web.service", r"((?:Requires=|After=.* ))(\S+?)(-web\.socket)$", slugged),
    ("config/deploy/systemd/*-web.service", r"^(User=|WorkingDirectory=/srv/)(.+?)()$", slugged),
    ("config/deploy/systemd/*-web.service", r"^(EnvironmentFile=/etc/)(.+?)(\.env)$", slugged),
    ("config/deploy/systemd/*-web.service", r"^(ExecStart=/srv/)([^/]+)(/)", slugged),
)
FILES = (("config/deploy/systemd", "-web.service"), ("config/deploy/systemd", "-web.socket"))
# made from the code, and compared with it by `make check` or a test
MADE = (".env.example", "openapi.yaml", "asyncapi.yaml", "README.md", "docs/patterns/*.md")


def checked_name(name: str) -> str:
    """The name, with single blanks. Raises Refused."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not name:
        raise Refused('A name is needed: make rename NAME="Acme Shop"')
    if len(name) > LONGEST_NAME:
        raise Refused(f"The name has {len(name)} characters; {LONGEST_NAME} is the most that fits titles and senders.")
    if not name.isprintable():
        raise Refused("The name has a character in it that cannot be printed; leave it out.")
    if wrong := "".join(sorted(set(FORBIDDEN.findall(name)))):
        raise Refused(f"The name has {' '.join(wrong)} in it, which means something else in a file it gets into.")
    return name


def slug_of(name: str) -> str:
    """The identifier made from a name: "Müller & Söhne" → "mueller-soehne". Raises Refused if nothing is left."""
    text = unicodedata.normalize("NFKD", name.lower().translate(GERMAN))
    letters = "".join(c for c in text if not unicodedata.combining(c) and c not in "'\u2019")
    words = re.findall(r"[a-z0-9]+", letters)
    made = "-".join(words)[:32].strip("-")
    if not SLUG.fullmatch(made):
        raise Refused(f"No identifier can be made from {name!r}; name one: make rename NAME=… SLUG=acme-shop")
    return made


def checked_slug(slug: str) -> str:
    """The identifier. Raises Refused."""
    if not SLUG.fullmatch(slug):
        raise Refused(
            f"{slug!r} is no identifier: 2 to 32 lower-case letters, digits and single hyphens, a letter first."
        )
    return slug


def rename(root: Path, name: str, slug: str) -> list[str]:
    """Write the name into the files below `root`; returns the paths of those that changed. Raises Refused."""
    new = {PRODUCT: product(root, name, slug)}
    for pattern, place, text in TEXTS:
        for path in sorted(root.glob(pattern)):
            key = path.relative_to(root).as_posix()
            before = new.get(key) or path.read_text(encoding="utf-8")
            # backslashes mean something in what re.sub puts in
            written = text(name, slug).replace("\\", "\\\\")
            new[key], times = re.subn(place, rf"\g<1>{written}\g<3>", before, flags=re.MULTILINE)
            if not times:
                raise Refused(f"{key} has no place for the name any more ({place}); nothing was changed.")
    changed = [key for key, content in new.items() if (root / key).read_text(encoding="utf-8") != content]
    for key in changed:
        (root / key).write_text(new[key], encoding="utf-8")
    return sorted([*moved(root, slug), *(key for key in changed if (root / key).exists())])


def product(root: Path, name: str, slug: str) -> str:
    """The content of config/product.py, as ruff formats it."""
    # the quote that needs fewer backslashes
    quote = "'" if name.count('"') > name.count("'") else '"'
    quoted = quote + name.replace(quote, "\\" + quote) + quote
    before = (root / PRODUCT).read_text(encoding="utf-8")
    named = re.sub(r"^NAME = .*$", lambda _: f"NAME = {quoted}", before, flags=re.MULTILINE)
    return re.sub(r"^SLUG = .*$", f'SLUG = "{slug}"', named, flags=re.MULTILINE)


def moved(root: Path, slug: str) -> list[str]:
    """Give the files that are named after the product their new name; returns the new paths."""
    paths = []
    for folder, ending in FILES:
        for path in sorted((root / folder).glob(f"*{ending}")):
            if path.name != slug + ending:
                path.rename(path.with_name(slug + ending))
                paths.append(f"{folder}/{slug}{ending}")
    return paths


def make_again(root: Path) -> list[str]:
    """Write anew what is made from the code; returns the paths of the files that changed. Raises Refused."""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test", "PYTHONDONTWRITEBYTECODE": "1"}
    # the environment would win over the new default
    for name in ("API_TITLE", "EMAIL_FROM", "IMAGE"):
        environment.pop(name, None)
    before = made(root)
    # another process: this one has read the code as it was
    command = [sys.executable, "-m", "config.yours.made"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"what is made from the code could not be written anew:\n{done.stderr.strip()}")
    return [key for key, text in made(root).items() if text != before[key]]


def made(root: Path) -> dict[str, str]:
    """The files that are made from the code and are there, with their content."""
    there = [path for pattern in MADE for path in sorted(root.glob(pattern))]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in there}


def main(words: list[str], root: Path = ROOT) -> int:
    """Run the command line; returns the exit status."""
    parser = ArgumentParser(prog='make rename NAME="Acme Shop"', description=__doc__)
    parser.add_argument("name")
    parser.add_argument("slug", nargs="?", default="")
    given = parser.parse_args(words)
    with refusing() as outcome:
        name = checked_name(given.name)
        slug = checked_slug(given.slug) if given.slug else slug_of(name)
        changed = rename(root, name, slug) + make_again(root)
        print(f"The name is {name}, identifiers begin with {slug}.")
        print("\n".join(f"  {key}" for key in changed) if changed else "  nothing had to be changed")
        if changed:
            print("Counters and wake-ups in Valkey begin anew. Run `make check`, and look at it with `git diff`.")
    return outcome.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
