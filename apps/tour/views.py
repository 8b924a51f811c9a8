"""The pages of the tour."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.core.http.problems import only_safe
from apps.core.patterns import PATTERNS
from apps.tour.documents import read


@only_safe
def tour(request: HttpRequest) -> HttpResponse:
    """What this is, where to begin, and the twelve patterns."""
    return render(request, "tour/tour.html", {"patterns": PATTERNS})


@only_safe
def pattern_page(request: HttpRequest, name: str) -> HttpResponse:
    """The page of a pattern: by its slug, or by its name as `manage.py patterns` prints it, which leads there."""
    slug = name.lower().replace(" ", "-")
    pattern = next((pattern for pattern in PATTERNS if pattern.slug == slug), None)
    if pattern is None:
        raise Http404
    if name != slug:
        return redirect(f"/patterns/{slug}", permanent=True)
    try:
        text = read(settings.DOCS / "patterns" / f"{slug}.md")
    except FileNotFoundError:
        raise Http404 from None
    return render(request, "tour/pattern.html", {"pattern": pattern, "patterns": PATTERNS, "text": text})
