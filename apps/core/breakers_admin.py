"""The circuit breakers in the admin: their states, and a button that closes one."""

from __future__ import annotations

import structlog
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.core.breakers import GetBreakers, ResetBreaker
from apps.core.bus import bus
from apps.core.errors import NotFound

log = structlog.get_logger("admin")


@require_http_methods(["GET", "POST"])
def breakers(request: HttpRequest) -> HttpResponse:
    """Show the breakers; a POST with `name` closes that one for every process, and says in the log who did it."""
    if request.method == "POST":
        name = request.POST.get("name", "")
        try:
            bus.execute(ResetBreaker(name))
        except NotFound as error:
            messages.error(request, str(error))
        else:
            log.warning("breaker_reset", breaker=name, by=request.user.pk)
            messages.success(request, f"The breaker {name} is closed.")
        return redirect(request.path)
    context = {**admin.site.each_context(request), "title": "Circuit breakers", "breakers": bus.ask(GetBreakers())}
    return render(request, "admin/breakers.html", context)
