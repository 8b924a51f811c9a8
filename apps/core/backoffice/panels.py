"""The overview's panels that belong to no domain: circuit breakers, and the rate limit's refusals."""

from __future__ import annotations

from django.conf import settings

from apps.core.backoffice.overview import Bars, Content, Figure, panel
from apps.core.bus import bus
from apps.core.http.middleware.rate_limit import refusals
from apps.core.resilience.breakers import GetBreakers
from apps.core.resilience.valkey import valkey_at

TONES = {"closed": "good", "half_open": "warn", "open": "bad"}
MINUTES = 60


@panel("Circuit breakers", route="breakers", place=70, of_database=False)
def breakers() -> Content:
    """Each breaker's state."""
    states = bus.ask(GetBreakers())
    return Content([Figure(name, state, tone=TONES.get(state, "")) for name, state in states.items()])


@panel("Rate limit", place=80, of_database=False)
def rate_limit() -> Content:
    """Refusals by the minute; fails if Valkey, which counts them, does not answer."""
    counts = refusals(valkey_at(settings.VALKEY_URL, settings.VALKEY_PREFIX), MINUTES)
    total = sum(counts)
    figures = [Figure("refused in the last hour", f"{total:,}", tone="warn" if total else "")]
    return Content(figures, Bars("Requests answered 429", "minute", counts))
