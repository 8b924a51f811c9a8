"""The production web server: Granian with settings from the environment. What `make serve` and the image run.

    HOST=0.0.0.0 PORT=8000 WEB_WORKERS=2 WEB_THREADS=2 python -m config.serve

On SIGTERM it takes no new connection and ends when the requests in hand are answered, `DRAIN_SECONDS` at the latest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from multiprocessing import parent_process
from pathlib import Path
from signal import SIGTERM
from typing import Any

from apps.core.metrics_slots import VARIABLE, start_afresh
from config.stack.launch import die_with_parent
from config.stack.ports import is_free, parse_port

TARGET = "config.wsgi:application"
DRAIN_SECONDS = 30
# Granian's own lines go where all others go, in the same form
LOGGING: dict[str, Any] = {
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"handlers": [], "propagate": True}, "granian.access": {"handlers": []}},
}


class AddressError(Exception):
    """The server cannot listen where it was told to; the message says why."""


def address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Host and port from HOST and PORT, once they are sure to be usable. Raises `AddressError`."""
    host = environment.get("HOST") or "127.0.0.1"
    try:
        port = parse_port(environment.get("PORT") or "8000")
        free = is_free(host, port)
    except ValueError as error:
        raise AddressError(str(error)) from None
    except OSError as error:
        raise AddressError(f"cannot listen on HOST={host}, PORT={port}: {error.strerror or error}") from None
    if not free:
        # Granian shares ports: it would start, and take every second request from the other one
        raise AddressError(f"port {port} on {host} is taken: stop what listens there, or set PORT to another")
    return host, port


def serve(target: str, host: str, port: int, *, workers: int, threads: int) -> None:
    """Serve the WSGI application `target` ("module:name") until SIGTERM or SIGINT."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces

    Granian(
        target,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=workers,
        blocking_threads=threads,
        respawn_failed_workers=True,
        respawn_interval=0.2,
        workers_kill_timeout=DRAIN_SECONDS,
        log_dictconfig=LOGGING,
    ).serve(target_loader=load_in_worker)


def load_in_worker(target: str) -> Callable[..., Any]:
    """Import the application in a worker, and have the worker end when the main process is killed."""
    die_with_parent(SIGTERM)
    parent = parent_process()
    if parent is not None and not parent.is_alive():
        # it went between the start of this process and the line above
        sys.exit("the server's main process is gone")
    module, _, name = target.partition(":")
    application: Callable[..., Any] = getattr(import_module(module), name)
    return application


def prepare_metrics(default: Path) -> None:
    """Name the folder in which the workers add up their metrics, and empty it if nobody else counts there."""
    with suppress(OSError):  # each worker says that it cannot use it, and counts for itself
        start_afresh(Path(os.environ.setdefault(VARIABLE, str(default))))


def main() -> None:
    """Read the settings and serve; with unusable ones, say all that is wrong and exit with status 1."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
    from django.conf import settings

    env = settings.ENV
    try:
        host, port = address(os.environ)
    except AddressError as error:
        sys.exit(str(error))
    prepare_metrics(env.state_dir / f"metrics-{port}")
    serve(TARGET, host, port, workers=env.web_workers, threads=env.web_threads)


if __name__ == "__main__":
    main()
