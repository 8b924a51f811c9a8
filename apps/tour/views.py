"""The pages of the tour. What changes something, and what looks inside, is there in development only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect, ensure_csrf_cookie
from django.views.decorators.http import require_POST

from apps.core.http.client import client_address
from apps.core.http.problems import only_safe
from apps.core.patterns import PATTERNS, Pattern, pattern_named
from apps.tour.documents import headlines, read
from apps.tour.experiments import BREAK_IT, EXPERIMENTS, CannotRun, Experiment, Outcome, find
from apps.tour.experiments.comparisons import GROUP as COMPARISONS
from apps.tour.experiments.comparisons import add_comparisons
from apps.tour.experiments.registration import registration
from apps.tour.experiments.requests import GROUP as REQUESTS
from apps.tour.neighbours import is_ours
from apps.tour.parts import calls, followed, parts
from apps.tour.sources import shown, sources
from apps.tour.traces import spans_of
from apps.tour.waterfall import waterfall

# the script asks for a part of the page
FRAGMENT = "HTTP_X_TOUR_FRAGMENT"

find()
add_comparisons()


def is_live() -> bool:
    """Whether experiments may run: in development."""
    return bool(settings.TOUR_URL)


@only_safe
@never_cache
@ensure_csrf_cookie
def tour(request: HttpRequest) -> HttpResponse:
    """The first page: register somebody and watch, break something and count, or read about the twelve patterns."""
    page = _page(request)
    return render(request, "tour/tour.html", page, status=404 if page.get("gone") else 200)


@only_safe
@never_cache
def now(request: HttpRequest) -> HttpResponse:
    """The part of the first page that changes: the moving parts and the trace. 404 outside development."""
    if not is_live():
        raise Http404
    # the spans of a new trace need a moment: only what was there before is gone
    shown = _now(request.GET.get("trace", ""), request.GET.get("cohort", ""), seen="seen" in request.GET)
    # the script adds its token: with one of its own the part would never be the same twice
    return render(request, "tour/now.html", shown | {"fragment": True})


@require_POST
@csrf_protect
def run(request: HttpRequest, name: str) -> HttpResponse:
    """Run the experiment `name` and show what came of it; 404 for any other, and outside development.

    403 while another account of the machine is connected.
    """
    found = EXPERIMENTS.get(name)
    if found is None or not is_live():
        raise Http404
    if not is_ours(client_address(request), urlsplit(settings.TOUR_URL).port or 0):
        raise PermissionDenied("Experiments run only for the account that has started the service, on its own machine.")
    try:
        outcome, problem = found.run(), ""
    except CannotRun as error:
        outcome, problem = Outcome(()), str(error)
    if not (outcome.trace_id or outcome.cohort):
        # a repair goes on with what was broken
        outcome = replace(outcome, trace_id=request.POST.get("trace", ""), cohort=request.POST.get("cohort", ""))
    shown = {"done": found, "outcome": outcome, "problem": problem, "repair": EXPERIMENTS.get(found.repair)}
    if FRAGMENT in request.META:
        return render(request, "tour/outcome.html", shown)
    return render(request, "tour/tour.html", _page(request, outcome) | shown)


@only_safe
def pattern_page(request: HttpRequest, name: str) -> HttpResponse:
    """The page of a pattern: by its slug, or by its name as `manage.py patterns` prints it, which leads there."""
    pattern = pattern_named(name)
    if pattern is None:
        raise Http404
    if name != pattern.slug:
        return redirect(f"/patterns/{pattern.slug}", permanent=True)
    try:
        text = read(settings.DOCS / "patterns" / f"{pattern.slug}.md")
    except FileNotFoundError:
        raise Http404 from None
    return render(request, "tour/pattern.html", {"pattern": pattern, "patterns": PATTERNS, "text": text})


@only_safe
def source_page(request: HttpRequest, file: str) -> HttpResponse:
    """The code of a file that a pattern's page speaks of; 404 for any other."""
    if file not in sources():
        raise Http404
    module = file.rpartition("/")[2].removesuffix(".py").removeprefix("test_")
    about = [one for one in PATTERNS if file in (one.file, *one.take) or one.slug.replace("-", "_") == module]
    return render(request, "tour/source.html", {"file": file, "patterns": about, "code": shown(file)})


def _page(request: HttpRequest, outcome: Outcome | None = None) -> dict[str, Any]:
    begins = EXPERIMENTS[registration.__name__]
    about: dict[str, Any] = {"patterns": cards(), "live": is_live(), "registration": begins}
    if not is_live():
        return about
    groups = [(group, _in_group(group)) for group in (BREAK_IT, REQUESTS, COMPARISONS)]
    if outcome:
        shown = _now(outcome.trace_id, outcome.cohort, seen=False)
    else:
        shown = _now(request.GET.get("trace", ""), request.GET.get("cohort", ""), seen=True)
    return about | {"groups": groups} | shown


def _now(trace: str, cohort: str, *, seen: bool) -> dict[str, Any]:
    """What changes on the page; a trace without a span is gone if it was `seen` before."""
    picture = waterfall(spans_of(trace))
    return {
        "parts": parts(),
        "followed": followed(cohort),
        "calls": calls(cohort),
        "picture": picture,
        "gone": bool(seen and trace and picture is None),
        "trace": trace,
        "cohort": cohort,
    }


def cards() -> list[tuple[Pattern, str, str]]:
    """Each pattern, what the recorded run of `manage.py compare` did, and what came of it; empty without one."""
    recorded = headlines(settings.DOCS / "comparisons.json")
    return [(pattern, *recorded.get(pattern.name, ("", ""))) for pattern in PATTERNS]


def _in_group(group: str) -> list[Experiment]:
    return [experiment for experiment in EXPERIMENTS.values() if experiment.group == group]
