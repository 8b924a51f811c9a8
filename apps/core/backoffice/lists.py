"""Lists of any length: counts that stop, filters that never ask a large table for its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.backoffice.overview import capped, said
from apps.core.reads import CAP


class AtLeast(int):
    """A capped count that says so: 10,000+."""

    def __str__(self) -> str:
        return said(self)


class CappedPaginator(Paginator[Any]):
    """Counts up to CAP rows; the rest is reached by a filter or a search, since nobody turns 200 pages."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return AtLeast(capped(self.object_list))

    @cached_property
    def num_pages(self) -> int:
        return max(-(-min(self.count, CAP) // self.per_page), 1)


def by(
    title: str, parameter: str, values: Callable[[], Iterable[str]] = tuple, lookup: str = ""
) -> type[SimpleListFilter]:
    """A filter by the exact value of a column, named by `parameter` or reached by `lookup`, chosen from `values`.

    Without values it shows only while an address asks for it, as a link of another page does. Django's own filter asks
    for the DISTINCT values of the column, which reads the whole table.
    """

    class ByValue(SimpleListFilter):
        parameter_name = parameter

        def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
            chosen = self.value()
            known = list(values())
            return [(value, value) for value in [*known, *([chosen] if chosen and chosen not in known else [])]]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            chosen = self.value()
            return queryset.filter(**{lookup or parameter: chosen}) if chosen else queryset

    ByValue.title = title
    return ByValue
