"""The circuit breakers in the admin: their states, and a button that closes one."""

from __future__ import annotations

import structlog
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.core.backoffice.actions import Question, confirm
from apps.core.backoffice.links import Link
from apps.core.backoffice.log import CHANGE, note
from apps.core.bus import bus
from apps.core.errors import NotFound
from apps.core.resilience.breakers import GetBreakers, ResetBreaker

log = structlog.get_logger("admin")
EFFECT = "The breaker closes for every process, whatever it has seen, and calls pass again at once."


@require_http_methods(["GET", "POST"])
def breakers(request: HttpRequest) -> HttpResponse:
    """Show the breakers; a POST with `name` asks, and with `post=yes` closes that one and logs who did it."""
    states = bus.ask(GetBreakers())
    if request.method != "POST":
        context = {**admin.site.each_context(request), "title": "Circuit breakers", "breakers": states}
        return render(request, "admin/breakers.html", context)
    name = request.POST.get("name", "")
    if name in states and request.POST.get("post") != "yes":
        question = Question(
            title=f"Close {name}",
            effect=EFFECT,
            noun="circuit breaker",
            rows=[Link(f"{name}, {states[name]} now", request.path)],
            hidden=[("name", name)],
            cancel=request.path,
            trail=Link("Circuit breakers", request.path),
        )
        return confirm(request, question)
    try:
        bus.execute(ResetBreaker(name))
    except NotFound as error:
        messages.error(request, str(error))
    else:
        _note(request, name)
        messages.success(request, f"The breaker {name} is closed.")
    return redirect(request.path)


def _note(request: HttpRequest, name: str) -> None:
    log.warning("breaker_reset", breaker=name, by=request.user.pk)
    note(request, CHANGE, "closed by hand", name, f"circuit breaker {name}")
