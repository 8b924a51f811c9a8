"""Column statistics in one pass and bounded memory.

Sums are exact: a float is a whole number over a power of two, so sums and sums of squares are kept as such, and rounded
once at the end. Distinct values are counted exactly up to a bound and estimated above it, from a sample that adapts to
their number (P. Flajolet, On adaptive sampling, Computing 43, 1990: with n hashes kept it errs by about 1.2/√n).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import orjson

from apps.jobs.run import JobError

# distinct values of one column that are counted exactly, and hashes that are kept of all columns together
EXACT_DISTINCT = 50_000
MOST_HASHES = 500_000
MOST_COLUMNS = 10_000
MOST_NAME_CHARACTERS = 1_000_000
HASH_SPACE = 2**64


class Distinct:
    """Counts distinct JSON values; once they are many, from those whose hashes are below a limit."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self._limit = HASH_SPACE

    @property
    def kept(self) -> int:
        """How many hashes are kept."""
        return len(self._hashes)

    @property
    def estimated(self) -> bool:
        """Whether the count is no longer exact."""
        return self._limit < HASH_SPACE

    def add(self, value: Any) -> bool:
        """Take in a value; True if one more hash is kept now."""
        digest = hashlib.blake2b(_canonical(value), digest_size=8).digest()
        number = int.from_bytes(digest, "big")
        if number >= self._limit or number in self._hashes:
            return False
        self._hashes.add(number)
        return True

    def shrink(self, bound: int) -> int:
        """Keep at most `bound` hashes; returns how many were dropped."""
        before = len(self._hashes)
        while len(self._hashes) > bound:
            self._limit //= 2
            self._hashes = {number for number in self._hashes if number < self._limit}
        return before - len(self._hashes)

    def count(self) -> int:
        """The number of distinct values; an estimate if `estimated`."""
        return len(self._hashes) * (HASH_SPACE // self._limit)


class Sum:
    """An exact sum of floats and integers: a whole number over a power of two."""

    __slots__ = ("_exponent", "_numerator")

    def __init__(self) -> None:
        self._numerator = self._exponent = 0

    def add(self, numerator: int, exponent: int) -> None:
        """Add `numerator` / 2**`exponent`."""
        if exponent > self._exponent:
            self._numerator <<= exponent - self._exponent
            self._exponent = exponent
        self._numerator += numerator << (self._exponent - exponent)

    @property
    def value(self) -> Fraction:
        """The sum."""
        return Fraction(self._numerator, 1 << self._exponent)


class Column:
    """The statistics of one column so far."""

    __slots__ = ("_max", "_min", "_numbers", "_squares", "_sum", "count", "distinct")

    def __init__(self) -> None:
        self.count = 0
        self.distinct = Distinct()
        self._numbers = 0
        self._sum, self._squares = Sum(), Sum()
        self._min: float | None = None
        self._max: float | None = None

    def add(self, value: Any) -> bool:
        """Take in one value that is present; True if one more hash is kept now."""
        self.count += 1
        if not isinstance(value, bool) and isinstance(value, int | float):
            self._add_number(value)
        return self.distinct.add(value)

    def _add_number(self, value: float) -> None:
        self._numbers += 1
        numerator, denominator = value.as_integer_ratio()
        exponent = denominator.bit_length() - 1
        self._sum.add(numerator, exponent)
        self._squares.add(numerator * numerator, 2 * exponent)
        self._min = value if self._min is None else min(self._min, value)
        self._max = value if self._max is None else max(self._max, value)

    def summary(self, rows: int) -> dict[str, Any]:
        """The column's entry in the result; min to stddev are null without numbers, stddev (of a sample) below two."""
        entry = {
            "count": self.count,
            "missing": rows - self.count,
            "distinct": self.distinct.count(),
            "min": self._min,
            "max": self._max,
            "mean": float(self._sum.value / self._numbers) if self._numbers else None,
            "stddev": self._deviation() if self._numbers > 1 else None,
        }
        return entry | ({"distinct_estimated": True} if self.distinct.estimated else {})

    def _deviation(self) -> float | None:
        total = self._sum.value
        return _root((self._squares.value - total * total / self._numbers) / (self._numbers - 1))


class TooManyColumns(JobError):
    """The table has more columns, or longer names of them, than fit in memory."""


class Statistics:
    """The statistics of a table's columns, row by row; null counts as missing."""

    def __init__(self, most_hashes: int = MOST_HASHES) -> None:
        self.rows = 0
        self._columns: dict[str, Column] = {}
        self._name_characters = 0
        self._hashes = 0
        self._most_hashes = most_hashes
        self._most_each = EXACT_DISTINCT

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take in some rows. Raises TooManyColumns."""
        for row in rows:
            self.rows += 1
            for name, value in row.items():
                column = self._columns.get(name) or self._new(name)
                if value is not None and column.add(value):
                    self._hashes += 1
                    if column.distinct.kept > self._most_each:
                        self._hashes -= column.distinct.shrink(self._most_each)
                    if self._hashes > self._most_hashes:
                        self._shrink()

    def _new(self, name: str) -> Column:
        self._name_characters += len(name)
        if len(self._columns) == MOST_COLUMNS:
            raise TooManyColumns(f"The table has more than {MOST_COLUMNS:,} columns.")
        if self._name_characters > MOST_NAME_CHARACTERS:
            raise TooManyColumns(
                f"The names of the columns have more than {MOST_NAME_CHARACTERS:,} characters together."
            )
        column = self._columns[name] = Column()
        return column

    def _shrink(self) -> None:
        """Keep at most half of the hashes, fewer of those columns that have the most."""
        while self._hashes > self._most_hashes // 2:
            self._most_each //= 2
            self._hashes -= sum(column.distinct.shrink(self._most_each) for column in self._columns.values())

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


def _root(value: Fraction) -> float | None:
    """The square root, even if `value` is too large for a float; None if the root is too."""
    if not value:
        return 0.0
    # divided by an even power of two to be near one; half of that power goes back into the root
    half = (value.numerator.bit_length() - value.denominator.bit_length()) // 2
    try:
        return math.ldexp(math.sqrt(value / Fraction(4) ** half), half)
    except OverflowError:
        return None
