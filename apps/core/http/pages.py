"""The pages besides the API: its documentation, and what a problem's `type` leads to."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.exceptions import APIException

from apps.core.errors import DomainError
from apps.core.http.problems import only_safe


def problems() -> dict[str, list[str]]:
    """Every code of a problem, and what the errors that carry it say they mean; sorted by code.

    An error's class says it: in `meaning`, else in its docstring.
    """
    found: dict[str, list[str]] = {}
    for error in (*_family(DomainError), *_family(APIException)):
        own = vars(error)
        code, meaning = own.get("code") or own.get("default_code"), own.get("meaning") or own.get("__doc__")
        if code and meaning and not error.__module__.startswith("rest_framework"):
            found.setdefault(code, []).append(cleandoc(meaning))
    return dict(sorted(found.items()))


def _family(error: type[Exception]) -> Iterator[type[Exception]]:
    yield error
    for child in error.__subclasses__():
        yield from _family(child)


@only_safe
def problem_list(request: HttpRequest) -> HttpResponse:
    """Every problem there is."""
    return render(request, "core/problems.html", {"problems": problems()})


@only_safe
def problem_page(request: HttpRequest, code: str) -> HttpResponse:
    """What the problem `code` means."""
    meanings = problems().get(code)
    if meanings is None:
        raise Http404
    return render(request, "core/problem.html", {"code": code, "meanings": meanings})


# split: the script that starts it is a file of its own, since the pages allow no inline script
documentation = only_safe(
    SpectacularSwaggerSplitView.as_view(url_name="schema", versioning_class=None, template_name="core/docs.html")
)
