"""redis-py imports OpenTelemetry's SDK wherever that is installed, for metrics that nobody here asks it for.

That is a quarter of its own time to load, in every process. Here it is told that there is none; redis-py is ready for
that. Checked with redis-py 8.1.0; if an upgrade imports it elsewhere, tests/config/test_start.py fails.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

# each has the second name once its import of OpenTelemetry was tried
WHO_ASKS, HAS_ASKED = ("redis.observability.providers", "redis.observability.metrics"), "OTEL_AVAILABLE"


class NotForRedis(MetaPathFinder):
    """Finds nothing; refuses OpenTelemetry to redis-py."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Raises ModuleNotFoundError for `opentelemetry` while redis-py is being imported."""
        if fullname != "opentelemetry":
            return
        asking = [name for name in WHO_ASKS if name in sys.modules and not hasattr(sys.modules[name], HAS_ASKED)]
        if asking:
            raise ModuleNotFoundError("redis-py gets no OpenTelemetry here", name=fullname)
        if set(WHO_ASKS) <= sys.modules.keys():
            sys.meta_path.remove(self)


def keep_out() -> None:
    """Refuse OpenTelemetry to redis-py, in this process."""
    sys.meta_path.insert(0, NotForRedis())
