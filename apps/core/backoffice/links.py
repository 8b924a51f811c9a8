"""Links between the admin's pages. Apps meet here by names of models, so that none imports another's admin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Link:
    """A text that leads to `address`."""

    text: str
    address: str

    def __str__(self) -> SafeString:
        return anchor(self.text, self.address)

    __html__ = __str__


_aggregates: dict[str, str] = {}
_related: dict[str, list[Callable[[Any], Iterable[Link]]]] = defaultdict(list)


def list_of(model: str, /, **filters: object) -> str:
    """The address of the list of `model` ("events.delivery"), narrowed to `filters`."""
    base = reverse(f"admin:{model.replace('.', '_')}_changelist")
    return f"{base}?{urlencode(filters)}" if filters else base


def page_of(model: str, key: object) -> str:
    """The address of the page of one row of `model`."""
    return reverse(f"admin:{model.replace('.', '_')}_change", args=[key])


def is_aggregate(kind: str, model: str) -> None:
    """Let events about "kind:key" lead to the page of that row of `model`."""
    _aggregates[kind] = model


def aggregate(name: str) -> Link | str:
    """A link to what an event is about ("user:5"), or its name if there is no page for it."""
    kind, _, key = name.partition(":")
    model = _aggregates.get(kind)
    try:
        return Link(name, page_of(model, key)) if model and key else name
    except NoReverseMatch:
        # no page can have such a key
        return name


def related(model: str) -> Callable[[F], F]:
    """Decorator: the function makes links for a row of `model`, which that row's page then shows."""

    def register(links: F) -> F:
        _related[model].append(links)
        return links

    return register


def related_to(row: Model) -> list[Link]:
    """The links that the apps put on the page of `row`."""
    return [link for links in _related[row._meta.label_lower] for link in links(row)]


def anchor(text: object, address: str) -> SafeString:
    """A link for a column of a list."""
    return format_html('<a href="{}">{}</a>', address, text)
