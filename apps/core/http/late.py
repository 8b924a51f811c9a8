"""Views that are loaded with their first request: of pages for people, which many a process never shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string


def late(name: str) -> Callable[..., HttpResponse]:
    """The view with the dotted `name`, whose module, and the libraries that it needs, are loaded when somebody asks."""

    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer: HttpResponse = import_string(name)(request, *args, **kwargs)
        return answer

    return view
