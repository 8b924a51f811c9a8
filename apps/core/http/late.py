"""Views that are loaded with their first request: of pages and documents, which many a process never shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

_names: list[str] = []


def late(name: str) -> Callable[..., HttpResponse]:
    """The view with the dotted `name`, whose module, and the libraries that it needs, are loaded when somebody asks."""

    _names.append(name)

    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer: HttpResponse = import_string(name)(request, *args, **kwargs)
        return answer

    return view


def load_all() -> None:
    """Load them now: in a process that others are forked from. Raises ImportError for a view that is not there."""
    for name in _names:
        import_string(name)
