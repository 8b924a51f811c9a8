"""Column statistics in one pass and bounded memory.

Sums are exact: a float is a whole number over a power of two, so sums and sums of squares are kept as whole numbers by
denominator, as Python's own `statistics` does, and rounded once at the end. Distinct values are counted exactly up to a
bound and estimated above it from the smallest hashes (k minimum values: Z. Bar-Yossef et al., RANDOM 2002).
"""

from __future__ import annotations

import hashlib
import heapq
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import orjson

from apps.jobs.run import JobError

EXACT_DISTINCT = 50_000
MOST_COLUMNS = 10_000
HASH_SPACE = 2.0**64


class Distinct:
    """Counts distinct JSON values."""

    def __init__(self, bound: int = EXACT_DISTINCT) -> None:
        self._bound = bound
        self._hashes: set[int] = set()
        self._largest_first: list[int] = []
        self.estimated = False

    def add(self, value: Any) -> None:
        digest = hashlib.blake2b(_canonical(value), digest_size=8).digest()
        number = int.from_bytes(digest, "big")
        if number in self._hashes:
            return
        if len(self._hashes) < self._bound:
            self._hashes.add(number)
            heapq.heappush(self._largest_first, -number)
            return
        self.estimated = True
        if number < -self._largest_first[0]:
            self._hashes.discard(-heapq.heappushpop(self._largest_first, -number))
            self._hashes.add(number)

    def count(self) -> int:
        """The number of distinct values; an estimate where `estimated`."""
        if not self.estimated:
            return len(self._hashes)
        return round((self._bound - 1) / (-self._largest_first[0] / HASH_SPACE))


class Column:
    """The statistics of one column so far."""

    def __init__(self) -> None:
        self.count = 0
        self._distinct = Distinct()
        self._numbers = 0
        # by denominator; that of a square is the square of the number's own
        self._sums: dict[int, int] = defaultdict(int)
        self._squares: dict[int, int] = defaultdict(int)
        self._min: float | None = None
        self._max: float | None = None

    def add(self, value: Any) -> None:
        """Take in one value that is present."""
        self.count += 1
        self._distinct.add(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return
        self._numbers += 1
        numerator, denominator = value.as_integer_ratio()
        self._sums[denominator] += numerator
        self._squares[denominator] += numerator * numerator
        self._min = value if self._min is None else min(self._min, value)
        self._max = value if self._max is None else max(self._max, value)

    def summary(self, rows: int) -> dict[str, Any]:
        """The column's entry in the result; min to stddev are null without numbers, stddev (of a sample) below two."""
        entry = {
            "count": self.count,
            "missing": rows - self.count,
            "distinct": self._distinct.count(),
            "min": self._min,
            "max": self._max,
            "mean": self._mean() if self._numbers else None,
            "stddev": self._deviation() if self._numbers > 1 else None,
        }
        return entry | ({"distinct_estimated": True} if self._distinct.estimated else {})

    def _mean(self) -> float:
        return float(_total(self._sums) / self._numbers)

    def _deviation(self) -> float | None:
        total = _total(self._sums)
        squares = _total({denominator**2: sum_ for denominator, sum_ in self._squares.items()})
        return _root((squares - total * total / self._numbers) / (self._numbers - 1))


class TooManyColumns(JobError):
    """The table has more columns than are kept in memory."""

    def __init__(self) -> None:
        super().__init__(f"The table has more than {MOST_COLUMNS:,} columns.")


class Statistics:
    """The statistics of a table's columns, row by row; null counts as missing."""

    def __init__(self) -> None:
        self.rows = 0
        self._columns: dict[str, Column] = {}

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take in some rows. Raises TooManyColumns."""
        for row in rows:
            self.rows += 1
            for name, value in row.items():
                column = self._columns.get(name)
                if column is None:
                    if len(self._columns) == MOST_COLUMNS:
                        raise TooManyColumns
                    column = self._columns[name] = Column()
                if value is not None:
                    column.add(value)

    def result(self) -> dict[str, Any]:
        """`{rows, columns: {name: {count, missing, distinct, min, max, mean, stddev}}}`."""
        return {"rows": self.rows, "columns": {name: c.summary(self.rows) for name, c in self._columns.items()}}


def _canonical(value: Any) -> bytes:
    """The same bytes for equal values: 1 and 1.0 are one number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True).encode()


def _total(sums: Mapping[int, int]) -> Fraction:
    return sum((Fraction(numerator, denominator) for denominator, numerator in sums.items()), Fraction(0))


def _root(value: Fraction) -> float | None:
    """The square root, also where the square is past what a float holds; None where the root is, too."""
    if not value:
        return 0.0
    # brought near one by an even power of two, of which the root takes half
    half = (value.numerator.bit_length() - value.denominator.bit_length()) // 2
    try:
        return math.ldexp(math.sqrt(value / Fraction(4) ** half), half)
    except OverflowError:
        return None
