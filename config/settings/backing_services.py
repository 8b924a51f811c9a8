"""Django's settings for PostgreSQL and Valkey."""

from __future__ import annotations

from typing import Any

from config import tracing
from config.database_url import database_parameters
from config.env import Settings
from config.product import SLUG

# a transaction left open holds back the relay and vacuum
SESSION_SETTINGS = "-c idle_in_transaction_session_timeout=60s -c lock_timeout=10s"


def database(env: Settings) -> dict[str, Any]:
    """The `default` entry of DATABASES."""
    # by libpq: django-environ loses the letter case of a socket's folder, and which of several hosts a port belongs to
    options: dict[str, Any] = dict(database_parameters(env.database_url))
    entry: dict[str, Any] = {
        "ENGINE": "apps.core.postgresql.traced" if tracing.wanted() else "apps.core.postgresql",
        "NAME": options.pop("dbname"),
        **{name.upper(): options.pop(name, "") for name in ("user", "password", "host", "port")},
        "OPTIONS": options,
    }
    options["pool"] = {
        "min_size": 1,
        "max_size": env.db_pool_size,
        "timeout": 2,
        "max_idle": 300,
        # give up on a server that is away at once: the next request tries again, without the pool's long backoff
        "reconnect_timeout": 1,
    }
    options["slow_ms"] = env.slow_query_ms
    options["answer_within"] = env.database_timeout
    # a host that is gone is noticed before somebody waits for it
    for name, value in {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}.items():
        options.setdefault(name, value)
    options.setdefault("tcp_user_timeout", round(env.database_timeout * 1000))
    options.setdefault("connect_timeout", 5)
    options.setdefault("application_name", SLUG)
    if env.db_transaction_pooling:
        # a pooler in transaction mode has no sessions: nothing may be set for a session, or outlive a transaction
        entry["DISABLE_SERVER_SIDE_CURSORS"] = True
        options["prepare_threshold"] = None
    else:
        # of two that set the same, the later one counts
        options["options"] = f"{SESSION_SETTINGS} {options.get('options', '')}".strip()
    return entry


def cache(env: Settings) -> dict[str, Any]:
    """The `default` entry of CACHES."""
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": env.redis_url,
        "TIMEOUT": env.redis_ttl,
        "KEY_PREFIX": SLUG,
        "OPTIONS": {
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": 0.2,
            "SOCKET_TIMEOUT": 0.2,
            # away or frozen it is a miss, and asked once a second
            "IGNORE_EXCEPTIONS": True,
            "CONNECTION_POOL_CLASS": "apps.core.resilience.pausing.PausingPool",
            "REDIS_CLIENT_CLASS": "apps.core.resilience.pausing.PausingRedis",
        },
    }
