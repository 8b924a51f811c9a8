"""The measured side: jobs that a process of its own does on request, and what each costs.

The process reads questions from standard input and answers on standard output, a JSON object a line, so that the bench
can let several of them take turns. Its log goes to standard error.
"""

from __future__ import annotations

import io
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any
from unittest.mock import patch
from wsgiref.types import WSGIApplication, WSGIEnvironment

import psycopg
import redis

from tests.performance.meter import ELAPSED, Meter, best_meter

COUNTED = 20
BAD_STATUS = "a request was not answered with 2xx"


@dataclass(frozen=True)
class Probe:
    """A job: `prepare(n)` returns a function that does it n times.

    `around` is entered before and left after, outside of the measured time.
    """

    prepare: Callable[[int], Callable[[], None]]
    around: Callable[[], AbstractContextManager[Any]] = nullcontext


@dataclass(frozen=True)
class Layer:
    """What a layer costs: the probe `used` minus the probe `unused`; without the latter, all of `used`."""

    pattern: str
    what: str
    used: str
    unused: str | None = None


@dataclass
class Counts:
    """Statements, round trips to the database (BEGIN and COMMIT included) and to Valkey, for one job."""

    sql: float = 0
    trips: float = 0
    valkey: float = 0

    def __sub__(self, other: Counts) -> Counts:
        return Counts(self.sql - other.sql, self.trips - other.trips, self.valkey - other.valkey)


@dataclass(frozen=True)
class Requests:
    """Requests of one kind: each takes the next of `paths` in turn, a body if there is one, `headers` as in WSGI."""

    method: str
    paths: Sequence[str]
    query: str = ""
    body: Callable[[], bytes] | None = None
    headers: Callable[[], dict[str, str]] = dict


def each(job: Callable[[], object], around: Callable[[], AbstractContextManager[Any]] = nullcontext) -> Probe:
    """A probe that calls `job`."""

    def prepare(n: int) -> Callable[[], None]:
        def run() -> None:
            for _ in range(n):
                job()

        return run

    return Probe(prepare, around)


def requests(
    application: WSGIApplication,
    kind: Requests,
    token: str,
    around: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Probe:
    """A probe that calls a WSGI application as a server would, close() of the answer included."""
    paths = itertools.cycle(kind.paths)

    def prepare(n: int) -> Callable[[], None]:
        environs = [_environ(kind, next(paths), token) for _ in range(n)]
        statuses: list[str] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            statuses.append(status)

        def run() -> None:
            for environ in environs:
                answer = application(environ, start_response)
                content = b"".join(answer)
                if close := getattr(answer, "close", None):
                    close()
                if statuses[-1][0] != "2":
                    raise RuntimeError(f"{BAD_STATUS}: {statuses[-1]} {content[:500]!r}")

        return run

    return Probe(prepare, around)


def _environ(kind: Requests, path: str, token: str) -> WSGIEnvironment:
    body = kind.body() if kind.body else b""
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": kind.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": kind.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_ACCEPT": "*/*",
        "HTTP_USER_AGENT": "bench",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if kind.body:
        environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    return environ | kind.headers()


def cost(probe: Probe, n: int, meter: Meter) -> float:
    """What one job costs by the meter: the mean of `n` in a row."""
    with probe.around():
        # the first may have to fetch what the others find in a cache
        probe.prepare(1)()
        run = probe.prepare(n)
        start = meter.read()
        run()
        return (meter.read() - start) / n / meter.per


def counts(probe: Probe) -> Counts:
    """What one job asks of the database and of Valkey, the mean of a few."""
    with probe.around():
        probe.prepare(2)()
        run = probe.prepare(COUNTED)
        with counting() as found:
            run()
    return Counts(found.sql / COUNTED, found.trips / COUNTED, found.valkey / COUNTED)


@contextmanager
def counting() -> Iterator[Counts]:
    """Count at the drivers, below every framework, in all threads."""
    found = Counts()
    connection: Any = psycopg.Connection
    to_valkey: Any = redis.connection.AbstractConnection
    execute, command, send = psycopg.Cursor.execute, connection._exec_command, to_valkey.send_packed_command

    def counted_execute(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        # the pool's check of a connection is an empty statement
        found.sql += bool(query)
        found.trips += 1
        return execute(self, query, *args, **kwargs)

    def counted_command(self: Any, *args: Any, **kwargs: Any) -> Any:
        found.trips += 1
        return command(self, *args, **kwargs)

    def counted_send(self: Any, *args: Any, **kwargs: Any) -> Any:
        found.valkey += 1
        return send(self, *args, **kwargs)

    with ExitStack() as patches:
        patches.enter_context(patch.object(psycopg.Cursor, "execute", counted_execute))
        patches.enter_context(patch.object(connection, "_exec_command", counted_command))
        patches.enter_context(patch.object(to_valkey, "send_packed_command", counted_send))
        yield found


def serve(probes: Mapping[str, Probe], layers: Sequence[Layer] = ()) -> None:
    """Answer questions until standard input ends: `{"probe", "n"}` with its cost, `{"count"}` with counts.

    With `"elapsed"` the cost is the time that passed, else what the best meter says.
    """
    meter = best_meter()
    _answer({"layers": [asdict(layer) for layer in layers], "meter": meter.name, "unit": meter.unit})
    for line in sys.stdin:
        question = json.loads(line)
        if name := question.get("count"):
            _answer(asdict(counts(probes[name])))
        else:
            used = ELAPSED if question.get("elapsed") else meter
            _answer({"cost": cost(probes[question["probe"]], question["n"], used)})


def _answer(data: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(data) + "\n")
    sys.stdout.flush()
