"""What the bench was asked for."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import dataclass
from pathlib import Path

PARTS = ("http", "layers", "events", "webhooks", "latency", "import")
QUICK = {"rounds": 15, "events": 2000, "backlog": 10_000, "webhooks": 500, "seconds": 3, "import_rows": 2000}


@dataclass(frozen=True)
class Options:
    """How much to measure."""

    only: tuple[str, ...]
    rounds: int
    events: int
    backlog: int
    webhooks: int
    rate: int
    seconds: int
    import_rows: int
    json: Path | None


def read_options(words: list[str]) -> Options:
    """The options on the command line; ends the program with a message if they make no sense."""
    parser = ArgumentParser(
        prog="make bench ARGS='…'",
        description="What each pattern costs. Quote ratios from one run, never a figure alone.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="PART,…", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="a look in a minute; the figures are rough")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there, too")
    _numbers(parser)
    given = parser.parse_args(words)
    only = tuple(name.strip() for name in given.only.split(",") if name.strip())
    if not only or set(only) - set(PARTS):
        parser.error(f"--only takes some of {','.join(PARTS)}, separated by commas")
    numbers = {name: getattr(given, name) for name in (*QUICK, "rate")}
    if given.quick:
        numbers |= {name: value for name, value in QUICK.items() if getattr(given, name) == parser.get_default(name)}
    if min(numbers.values()) < 1:
        parser.error("every number must be 1 or more")
    return Options(only=only, json=given.json, **numbers)


def _numbers(parser: ArgumentParser) -> None:
    for name, default, meaning in (
        ("rounds", 100, "rounds of http and layers"),
        ("events", 20_000, "events relayed and delivered while they come"),
        ("backlog", 100_000, "events that wait before relay and worker start"),
        ("webhooks", 5_000, "webhooks sent"),
        ("rate", 50, "registrations a second, for latency"),
        ("seconds", 10, "seconds of registrations, for latency"),
        ("import-rows", 50_000, "users imported"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{meaning} ({default})")
