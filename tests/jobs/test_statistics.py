"""Column statistics: the same results as Python's own module, in one pass, on any JSON."""

from __future__ import annotations

import math
import random
import statistics
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from apps.jobs.statistics import EXACT_DISTINCT, MOST_COLUMNS, MOST_NAME_CHARACTERS, Statistics, TooManyColumns


def columns(*rows: dict[str, Any]) -> dict[str, Any]:
    table = Statistics()
    table.add(rows)
    result: dict[str, Any] = table.result()["columns"]
    return result


def column(*values: Any) -> dict[str, Any]:
    entry: dict[str, Any] = columns(*({"x": value} for value in values))["x"]
    return entry


@pytest.mark.parametrize("size", [2, 3, 10, 1000])
@pytest.mark.parametrize("draw", [lambda: random.gauss(0, 1), lambda: random.randint(-(10**9), 10**9), random.random])
def test_random_columns(size: int, draw: Any) -> None:
    values = [draw() for _ in range(size)]
    found = column(*values)
    assert (found["count"], found["missing"], found["min"], found["max"]) == (size, 0, min(values), max(values))
    assert found["distinct"] == len(set(values))
    assert found["mean"] == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-9)
    assert found["stddev"] == pytest.approx(statistics.stdev(values), rel=1e-9)


@pytest.mark.parametrize("offset", [1e9, 1e12, -1e9])
def test_large_values_that_lie_close_together_keep_their_digits(offset: float) -> None:
    small = [random.choice((0.25, 0.5, 0.75, 1.0)) for _ in range(2000)]
    values = [offset + value for value in small]
    naive = sum(v * v for v in values) / len(values) - (sum(values) / len(values)) ** 2
    exact = statistics.variance(small)
    assert column(*values)["stddev"] == pytest.approx(math.sqrt(exact), rel=1e-3)
    if abs(offset) >= 1e12:
        assert abs(naive - exact) > exact, "the textbook formula has lost every digit by now"


ILL_CONDITIONED = {
    "cancelling": [1e16, 1.0, -1e16],
    "far from zero": [1e15 + 0.25, 1e15 + 0.5, 1e15 + 0.75],
    "large integers": [2**63 - 1, 2**63 - 2, -(2**63)],
    "past a float's exact integers": [2**53 + 1, 2**53 + 3, 2**53 + 5],
    "mixed magnitudes": [1e300, 1e-300, -1e300, 3.0],
    "denormal": [5e-324, 1e-323, 2e-323],
    "tenths": [0.1] * 10 + [0.3] * 7,
    "equal": [0.1] * 1000,
    "largest": [1.7e308, 1.6e308, 1.5e308],
}


@pytest.mark.parametrize("values", ILL_CONDITIONED.values(), ids=ILL_CONDITIONED)
def test_ill_conditioned_columns_are_exact_to_the_last_digit(values: list[float]) -> None:
    found = column(*values)
    exact = [Fraction(value) for value in values]
    mean = sum(exact, Fraction(0)) / len(exact)
    variance = sum(((value - mean) ** 2 for value in exact), Fraction(0)) / (len(exact) - 1)
    assert found["mean"] == float(mean)
    root = (Decimal(variance.numerator) / Decimal(variance.denominator)).sqrt()
    assert found["stddev"] == pytest.approx(float(root), rel=4e-16, abs=5e-324)


def test_more_columns_than_fit_in_memory_are_refused() -> None:
    table = Statistics()
    table.add([{str(number): 1 for number in range(MOST_COLUMNS)}])
    with pytest.raises(TooManyColumns, match="more than 10,000 columns"):
        table.add([{"one more": 1}])


def test_null_and_absent_are_missing() -> None:
    found = columns({"a": 1, "b": None}, {"a": None}, {"c": 5}, {})
    assert {name: (c["count"], c["missing"]) for name, c in found.items()} == {"a": (1, 3), "b": (0, 4), "c": (1, 3)}
    assert found["b"] == {
        "count": 0,
        "missing": 4,
        "distinct": 0,
        "min": None,
        "max": None,
        "mean": None,
        "stddev": None,
    }


def test_one_number_has_no_deviation() -> None:
    assert column(5) == {"count": 1, "missing": 0, "distinct": 1, "min": 5, "max": 5, "mean": 5.0, "stddev": None}


def test_texts_and_truth_values_are_counted_and_not_averaged() -> None:
    found = column("a", "b", "a", True, False, True, [1], [1], {"k": 1, "l": 2}, {"l": 2, "k": 1})
    assert (found["count"], found["distinct"]) == (10, 6)
    assert found["min"] is found["mean"] is found["stddev"] is None


def test_numbers_among_texts_are_averaged_alone() -> None:
    found = column(1, "two", 3.0, None)
    assert (found["count"], found["missing"], found["distinct"]) == (3, 1, 3)
    assert (found["min"], found["max"], found["mean"], found["stddev"]) == (1, 3.0, 2.0, pytest.approx(math.sqrt(2)))


def test_one_and_true_and_the_text_one_are_three_things() -> None:
    assert column(1, True, "1")["distinct"] == 3


def test_what_overflows_is_null_and_no_error() -> None:
    found = column(1.7e308, -1.7e308, 1.7e308)
    assert (found["min"], found["max"]) == (-1.7e308, 1.7e308)
    assert found["stddev"] is None


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**64 - 1, 1e-320])
def test_every_number_that_json_can_bring_is_taken(number: float) -> None:
    assert column(number)["max"] == number


def test_an_empty_table() -> None:
    assert Statistics().result() == {"rows": 0, "columns": {}}


def test_rows_may_come_in_parts() -> None:
    rows = [{"x": random.random(), "y": random.choice("abc")} for _ in range(100)]
    whole, parts = Statistics(), Statistics()
    whole.add(rows)
    for start in range(0, 100, 7):
        parts.add(rows[start : start + 7])
    assert whole.result() == parts.result()


def test_names_that_do_not_fit_in_memory_are_refused() -> None:
    table = Statistics()
    with pytest.raises(TooManyColumns, match="names"):
        table.add([{"x" * (MOST_NAME_CHARACTERS // 2) + str(number): 1} for number in range(2)])


def test_up_to_the_bound_distinct_values_are_counted_and_above_it_estimated() -> None:
    table = Statistics()
    for _ in range(2):
        table.add({"few": f"value {number}"} for number in range(EXACT_DISTINCT))
        table.add({"many": number} for number in range(3 * EXACT_DISTINCT))
    found = table.result()["columns"]
    assert found["few"]["distinct"] == EXACT_DISTINCT
    assert "distinct_estimated" not in found["few"]
    assert found["many"]["distinct_estimated"] is True
    assert found["many"]["distinct"] == pytest.approx(3 * EXACT_DISTINCT, rel=0.05)


def test_the_hashes_of_all_columns_together_are_bounded_and_small_columns_stay_exact() -> None:
    bound = 4000
    table = Statistics(most_hashes=bound)
    for start in range(0, 10_000, 500):
        table.add({**{f"c{column}": start + row for column in range(10)}, "small": row % 7} for row in range(500))
        assert sum(column.distinct.kept for column in table._columns.values()) <= bound
    found = table.result()["columns"]
    assert (found["small"]["distinct"], "distinct_estimated" in found["small"]) == (7, False)
    for column in range(10):
        # each keeps some 200 hashes and more
        assert found[f"c{column}"]["distinct"] == pytest.approx(10_000, rel=0.5)


def test_sums_take_the_same_memory_whatever_the_numbers_are() -> None:
    table = Statistics()
    table.add({"x": random.random() * 10.0 ** random.randint(-300, 300)} for _ in range(20_000))
    column = table._columns["x"]
    assert column._sum._numerator.bit_length() < 2200
    assert column._squares._numerator.bit_length() < 4400
