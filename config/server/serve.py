"""The production web server: Granian with settings from the environment. What `make serve` and the image run.

    HOST=0.0.0.0 PORT=8000 WEB_WORKERS=2 WEB_THREADS=2 python -m config.server [--preload] [--fd NUMBER]

On SIGTERM every answer closes its connection. After `CLOSING_SECONDS` a socket of its own takes no new client,
`LAST_SECONDS` later it accepts none from any socket, and after `QUIET_SECONDS` more those that it has accepted have
sent their request; it ends when they are answered, `DRAIN_SECONDS` at the latest. On SIGHUP it does so worker by
worker, each replaced by one with the present code. Its workers share one listening socket, so no client that waits to
be accepted is lost with a worker; the socket may come from outside (--fd, or systemd's socket activation,
sd_listen_fds(3)), and then a second server can take over before the first one ends. The main process loads neither
Django nor settings; with --preload it loads the service, and each worker is a fork, which shares that memory. See
config/deploy/scaling.md.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from apps.core.telemetry.slots import VARIABLE, start_afresh
from config.chosen import choose_settings
from config.logging import configure_logging
from config.server.apart import apart
from config.server.granian_parts import BACKLOG, STOPPING, hold_signals_back, leave_the_parent_behind, share
from config.server.launch import die_with_parent
from config.server.leaving import accept_no_more, turn_away
from config.server.ports import is_free, is_listening, parse_port

TARGET = "config.wsgi:application"
CLOSING_SECONDS = 1.0  # to tell clients that keep a connection that it ends
LAST_SECONDS = 0.2  # to accept those that have connected by then
QUIET_SECONDS = 0.4  # to receive the requests of those that were accepted last
DRAIN_SECONDS = 30
FIRST_PASSED_FD = 3
# Granian's own lines go where all others go, in the same form
LOGGING: dict[str, Any] = {
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"handlers": [], "propagate": True}, "granian.access": {"handlers": []}},
}


class Chosen(NamedTuple):
    """What the main process needs of the settings, and the variables that their files set."""

    workers: int
    threads: int
    state_dir: Path
    log_level: str
    for_people: bool
    variables: dict[str, str]


class AddressError(Exception):
    """The server cannot listen where it was told to; the message says why."""


def address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Host and port from HOST and PORT. Raises `AddressError` if they cannot be used."""
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


def is_passed(environment: Mapping[str, str]) -> bool:
    """Whether another process made the listening socket, and keeps it when this one ends."""
    return environment.get("LISTEN_PID") == str(os.getpid())


def listening_socket(environment: Mapping[str, str], passed: int | None = None) -> socket.socket:
    """The socket that was passed to this process, as number `passed` or by systemd, else one on HOST and PORT.

    Raises `AddressError`.
    """
    if passed is not None:
        return passed_socket(passed)
    if is_passed(environment):
        if environment.get("LISTEN_FDS") != "1":
            raise AddressError("LISTEN_FDS must be 1: the web server listens on one socket")
        return socket.socket(fileno=FIRST_PASSED_FD)
    host, port = address(environment)
    try:
        return listen(host, port)
    except OSError as error:
        # another program was quicker
        raise AddressError(f"cannot listen on HOST={host}, PORT={port}: {error.strerror or error}") from None


def passed_socket(number: int) -> socket.socket:
    """The listening socket with this number. Raises `AddressError`."""
    if not is_listening(number):
        raise AddressError(
            f"--fd {number} is no listening socket: pass the number of one that this process has inherited"
        )
    return socket.socket(fileno=number)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `host`:`port`."""
    if ":" not in host:
        return socket.create_server((host, port), backlog=BACKLOG)
    dual = socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=dual)


def serve(
    target: str, listener: socket.socket, *, passed: bool, workers: int, threads: int, preload: bool = False
) -> None:
    """Serve the WSGI application `target` ("module:name") on `listener` until SIGTERM or SIGINT.

    If the listener is `passed`, it goes on to take connections when this server ends. With `preload` the workers are
    forks of this process, and a reload runs the settings and modules that it has loaded.
    """
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces

    multiprocessing.set_start_method("fork" if preload else "spawn")
    # its connections inherit it: otherwise the second part of an answer waits until the client acknowledges the first
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    host, port = listener.getsockname()[:2]
    server: Any = Granian(
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
    )
    share(server, listener, listener.close if passed else lambda: turn_away(listener, CLOSING_SECONDS))
    hold_signals_back(server)
    server.serve(target_loader=load_in_worker)


def load_in_worker(target: str) -> Callable[..., Any]:
    """Import the application in a worker, and have the worker end when the main process is killed."""
    closing = threading.Event()
    if multiprocessing.get_start_method() == "fork":
        leave_the_parent_behind()
    close_before_the_end(closing)
    die_with_parent(signal.SIGTERM)
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        # it ended between the start of this process and the line above
        os._exit(0)
    module, _, name = target.partition(":")
    application: Callable[..., Any] = getattr(import_module(module), name)
    return closing_connections(application, closing)


def load_service() -> None:
    """Load all that a worker needs, and start nothing."""
    import_module("django.core.wsgi").get_wsgi_application()
    import_module("config.urls")
    gc.collect()
    gc.freeze()


def close_before_the_end(closing: threading.Event) -> None:
    """On SIGTERM set `closing`, later accept nobody any more, and then let Granian's own shutdown follow.

    Granian ends connections without a request at once, and with them a request that is already on its way; a client
    that was told `Connection: close` sends none, and one that was accepted last has sent its own by then. A worker that
    does not serve yet has no client to tell, and ends at once. SIGINT comes from a terminal, and the main process gets
    it as well.
    """
    # before Granian starts its threads, which inherit it
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        # Granian's handler, once it serves
        shut_down = signal.getsignal(signal.SIGTERM)
        if not callable(shut_down):
            os._exit(0)
        closing.set()
        time.sleep(CLOSING_SECONDS + LAST_SECONDS)
        with suppress(OSError):  # of a process without a descriptor left: it has to end all the same
            accept_no_more()
        time.sleep(QUIET_SECONDS)
        shut_down(signal.SIGTERM, None)

    threading.Thread(target=wait, name="closing", daemon=True).start()


def closing_connections(application: Callable[..., Any], closing: threading.Event) -> Callable[..., Any]:
    """Wrap `application` so that its answers end their connections once `closing` is set."""

    def closes(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("Connection", "close")] if closing.is_set() else headers, *more)

        return in_one_piece(application(environ, start))

    return closes


def in_one_piece(answer: Any) -> Iterable[bytes]:
    """The answer as a list, which Granian sends with its head; one that Django streams stays as it is.

    Of any other iterable Granian asks for part after part, each from another thread (granian 2.8.7).
    """
    if getattr(answer, "streaming", True):
        return answer  # type: ignore[no-any-return] # what the application made
    try:
        return list(answer)
    finally:
        answer.close()


def prepare_metrics(default: Path) -> None:
    """Name the folder in which the workers add up their metrics, and empty it if nobody else counts there."""
    with suppress(OSError):  # each worker says that it cannot use it, and counts for itself
        start_afresh(Path(os.environ.setdefault(VARIABLE, str(default))))


def read_settings() -> Chosen:
    """Read the settings; with unusable ones, say all that is wrong and exit with status 1."""
    before = dict(os.environ)
    from django.conf import settings

    env = settings.ENV
    for_people = env.profile == "development"
    variables = {name: value for name, value in os.environ.items() if before.get(name) != value}
    return Chosen(env.web_workers, env.web_threads, env.state_dir, env.log_level, for_people, variables)


def main() -> None:
    """Read command line and settings and serve; with unusable ones, say all that is wrong and exit with status 1."""
    parser = argparse.ArgumentParser("python -m config.server", description="Serve until SIGTERM.")
    parser.add_argument(
        "--preload", action="store_true", help="load the service once and fork the workers: SIGHUP brings no new code"
    )
    parser.add_argument("--fd", type=int, help="listen on this inherited socket and not on HOST and PORT")
    options = parser.parse_args()
    choose_settings("config.settings.production")
    chosen = apart(read_settings)
    os.environ.update(chosen.variables)
    configure_logging(chosen.log_level, human=chosen.for_people)
    try:
        listener = listening_socket(os.environ, options.fd)
    except AddressError as error:
        sys.exit(str(error))
    prepare_metrics(chosen.state_dir / f"metrics-{listener.getsockname()[1]}")
    if options.preload:
        load_service()
    passed = options.fd is not None or is_passed(os.environ)
    serve(TARGET, listener, passed=passed, workers=chosen.workers, threads=chosen.threads, preload=options.preload)
