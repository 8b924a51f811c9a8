"""What the bench was asked for."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import dataclass
from pathlib import Path

PARTS = (
    "http",
    "layers",
    "traces",
    "events",
    "webhooks",
    "latency",
    "import",
)
GROWTH, WORKERS, STEADY = "growth", "workers", "steady"
QUICK = {
    "rounds": 15,
    "events": 2000,
    "backlog": 10_000,
    "webhooks": 500,
    "seconds": 3,
    "import_rows": 2000,
    "requests": 4000,
    "most_rows": 10**5,
    "most_waiting": 10**4,
    "minutes": 1,
}
LEAST_ROWS = 1000


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
    requests: int
    most_rows: int
    most_waiting: int
    minutes: int
    quick: bool
    record: bool
    json: Path | None

    @property
    def whole(self) -> bool:
        """Whether every usual part is measured, so that the page's run is this one."""
        return set(PARTS) <= set(self.only)

    @property
    def sizes(self) -> list[int]:
        """Rows at which growth is measured, tenfold by tenfold."""
        return tenfold(self.most_rows)

    @property
    def backlogs(self) -> list[int]:
        """Events that wait when relay and receivers are measured, tenfold by tenfold."""
        return tenfold(self.most_waiting)


def tenfold(most: int) -> list[int]:
    """1000, 10000 … up to `most`."""
    found = [LEAST_ROWS]
    while found[-1] * 10 <= most:
        found.append(found[-1] * 10)
    return found


def read_options(words: list[str]) -> Options:
    """The options on the command line; ends the program with a message if they make no sense."""
    parser = ArgumentParser(
        prog="make bench [QUICK=1] [GROWTH=1] ARGS='…'",
        description="What each pattern costs. Quote ratios from one run, never a figure alone.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    every = (*PARTS, GROWTH, WORKERS, STEADY)
    parser.add_argument("--only", metavar="PART,…", help=f"some of {','.join(every)}")
    parser.add_argument("--quick", action="store_true", help="QUICK=1: a look in two minutes; the figures are rough")
    parser.add_argument("--growth", action="store_true", help="GROWTH=1: how each cost grows, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there, too")
    parser.add_argument("--record", action="store_true", help="keep the figures in docs/, and write its tables anew")
    _numbers(parser)
    given = parser.parse_args(words)
    usual = [*PARTS, *([GROWTH] if given.growth else [])]
    only = tuple(name.strip() for name in given.only.split(",") if name.strip()) if given.only else tuple(usual)
    if not only or set(only) - set(every):
        parser.error(f"--only takes some of {','.join(every)}, separated by commas")
    numbers = {name: getattr(given, name) for name in (*QUICK, "rate")}
    if given.quick:
        numbers |= {name: value for name, value in QUICK.items() if getattr(given, name) == parser.get_default(name)}
    if min(numbers.values()) < 1:
        parser.error("every number must be 1 or more")
    return Options(only=only, quick=given.quick, record=given.record, json=given.json, **numbers)


def _numbers(parser: ArgumentParser) -> None:
    for name, default, meaning in (
        ("rounds", 100, "rounds of http; layers take ten times as many"),
        ("events", 20_000, "events relayed and delivered while they come"),
        ("backlog", 100_000, "events that wait before relay and worker start"),
        ("webhooks", 5_000, "webhooks sent"),
        ("rate", 50, "registrations a second, for latency"),
        ("seconds", 10, "seconds of registrations, for latency"),
        ("import-rows", 50_000, "users imported"),
        ("requests", 100_000, "requests to one web worker, for the growth of its memory"),
        ("most-rows", 10**6, "rows at most, for growth"),
        ("most-waiting", 10**5, "events that wait at most, for growth"),
        ("minutes", 30, "minutes at a steady rate, for steady"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{meaning} ({default})")
