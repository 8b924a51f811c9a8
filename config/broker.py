"""What Celery's client is told about the broker, by the kind of broker that CELERY_BROKER_URL names."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit


def broker_url(url: str) -> str:
    """`url`, which redis-py can read, in the form of Celery's client: the database in the path, sockets otherwise."""
    parts = urlsplit(url)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    database = options.pop("db", None)
    if parts.scheme == "unix":
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return f"redis+socket://{user}{parts.path}?virtual_host={database or 0}"
    if database is None:
        return url
    return parts._replace(path=f"/{database}", query=urlencode(options, quote_via=quote)).geturl()


def transport_options(broker_url: str, task_time_limit: int, prefix: str) -> dict[str, Any]:
    """What the broker's client is told; RabbitMQ's and Valkey's have no option in common. Times in seconds.

    `prefix` stands before every key in Valkey; RabbitMQ has virtual hosts for that.
    """
    if "amqp" in urlsplit(broker_url).scheme:
        # sending waits until the broker has the message, but not for ever
        return {"confirm_publish": True, "read_timeout": 5, "write_timeout": 5}
    return {
        "global_keyprefix": prefix,
        # past the longest task, or Valkey hands the message out a second time while it still runs
        "visibility_timeout": task_time_limit * 2 + 60,
        "socket_timeout": 5,
        "socket_connect_timeout": 1,
        "health_check_interval": 25,
    }


def tls_options(broker_url: str) -> dict[str, Any] | None:
    """Options to check the certificate of a broker with TLS, which Celery alone does not; `ssl_…` in the URL wins."""
    parts = urlsplit(broker_url)
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in parts.query:
        return {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    if parts.scheme == "amqps":
        # None: the URL's own host
        return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None}
    return None
