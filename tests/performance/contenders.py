"""The bench's side of the measured processes: starts them, asks them in turns, ends them."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from config.stack.plan import ROOT
from tests.performance.probing import Counts, Layer
from tests.performance.stack import rss_mib

Target = tuple["Contender", str]
"""A process, and the probe that it is to run."""
GROUPS = 4


class Contender:
    """`with Contender("floor", environment, log) as floor:` runs it; it ends with its standard input."""

    def __init__(self, name: str, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.layers: list[Layer] = []
        self.meter = self.unit = ""
        self._environment = environment
        self._log = log

    def __enter__(self) -> Contender:
        command = [sys.executable, "-m", "tests.performance.contender", self.name]
        with self._log.open("wb") as log:
            self._popen = subprocess.Popen(
                command,
                cwd=ROOT,
                env=dict(self._environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        said = self._read()
        self.layers = [Layer(**layer) for layer in said["layers"]]
        self.meter, self.unit = said["meter"], said["unit"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe:
                pipe.close()
        try:
            self._popen.wait(10)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def cost(self, probe: str, n: int) -> float:
        """What one job of `probe` costs in `unit`, the mean of `n` in a row."""
        return float(self._ask(probe=probe, n=n)["cost"])

    def elapsed(self, probe: str, n: int) -> float:
        """µs that one job of `probe` takes, the database's work included, the mean of `n` in a row."""
        return float(self._ask(probe=probe, n=n, elapsed=True)["cost"])

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._popen.pid

    def rss_mib(self) -> float:
        """Resident memory of the process."""
        return rss_mib(self._popen.pid)

    def counts(self, probe: str) -> Counts:
        """What one job of `probe` asks of the database and of Valkey."""
        return Counts(**self._ask(count=probe))

    def _ask(self, **question: Any) -> dict[str, Any]:
        if self._popen.stdin is None:
            raise RuntimeError(f"{self.name} was not started")
        try:
            self._popen.stdin.write(json.dumps(question) + "\n")
            self._popen.stdin.flush()
        except OSError as error:
            raise RuntimeError(self._last_words()) from error
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._popen.stdout.readline() if self._popen.stdout else ""
        if not line:
            raise RuntimeError(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        return f"{self.name} ended:\n" + "\n".join(self._log.read_text(errors="replace").splitlines()[-25:])


def take_turns(targets: Sequence[Target], n: int, rounds: int) -> dict[Target, list[float]]:
    """What a job of each target costs, round by round: in each round all take their turn, each time another first."""
    for contender, probe in targets:
        contender.cost(probe, n)
    found: dict[Target, list[float]] = {target: [] for target in targets}
    for number in range(rounds):
        start = number % len(targets)
        for target in [*targets[start:], *targets[:start]]:
            contender, probe = target
            found[target].append(contender.cost(probe, n))
    return found


def resolution(values: Sequence[float]) -> float:
    """How far minima of the same job differ (A - A): the spread of the minima of four groups of rounds."""
    # drawn by lot: what comes at intervals, such as a search for garbage, would always meet the same fourth round
    drawn = random.Random(0).sample(values, len(values))
    least = [min(drawn[first::GROUPS]) for first in range(min(GROUPS, len(drawn)))]
    return max(least) - min(least)
