"""What answers the messages of the core: breakers, traces, keys."""

from __future__ import annotations

from apps.core.bus import Bus
from apps.core.key_rotation import GetSigned, KeyRotation, RotateKeys, get_signed
from apps.core.resilience.breakers import GetBreakers, GetPauses, ResetBreaker
from apps.core.resilience.valkey import Valkey
from apps.core.telemetry.spans import FindTrace, GetTrace, ListTraces, SpanStore
from config.container import PATIENCE_SECONDS, Container


def wire(container: Container, bus: Bus) -> None:
    """Register the handlers."""
    env = container.env
    bus.register(GetBreakers, container.breakers.all)
    bus.register(GetPauses, container.breakers.pauses)
    bus.register(ResetBreaker, container.breakers.reset)
    spans = SpanStore(Valkey(env.redis_url, timeout=PATIENCE_SECONDS, pause=0))
    bus.register(GetTrace, spans.read)
    bus.register(FindTrace, spans.find)
    bus.register(ListTraces, spans.newest)
    bus.register(RotateKeys, KeyRotation(env.secret_key, env.secret_key_fallbacks).rotate)
    bus.register(GetSigned, get_signed)
