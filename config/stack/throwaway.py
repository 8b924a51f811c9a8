"""PostgreSQL and Valkey for the length of one program, with their data in a temporary folder.

python -m config.stack.throwaway PROGRAM [ARGUMENT …]    # runs it with DATABASE_URL and REDIS_URL set
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.server.ports import free_port
from config.stack.postgres import Postgres
from config.stack.supervisor import Supervisor
from config.stack.valkey import Valkey
from config.stack.wheels import ServiceError

READY_WITHIN = 30.0
VALKEY_DATABASES = 64


@dataclass(frozen=True)
class Services:
    """Two running servers, and the supervisor that looks after them."""

    postgres: Postgres
    valkey: Valkey
    supervisor: Supervisor


@contextmanager
def throwaway_services() -> Iterator[Services]:
    """Start both servers, yield them once they answer, and stop them. Raises `ServiceError`.

    They end even if this process is killed. Call it from the main thread.
    """
    folder = Path(tempfile.mkdtemp(prefix="throwaway-"))
    with Supervisor(folder / "logs", discard=folder) as supervisor:
        yield _start(supervisor, folder)


def _start(supervisor: Supervisor, folder: Path) -> Services:
    valkey = Valkey(folder / "valkey", free_port(), throwaway=True, databases=VALKEY_DATABASES)
    supervisor.start(valkey.child())
    postgres = Postgres(folder / "pg", free_port(), throwaway=True)
    postgres.prepare(supervisor.run_once)
    supervisor.start(postgres.child())
    for name, ready in ("postgres", postgres.ready), ("valkey", valkey.ready):
        if not supervisor.wait_for(ready, READY_WITHIN):
            lines = supervisor.log(name).read_text(errors="replace").strip()
            raise ServiceError(f"{name} did not start within {READY_WITHIN:.0f} s:\n{lines}")
    postgres.create_database()
    return Services(postgres, valkey, supervisor)


def main() -> int:
    """Run the program named on the command line; returns its exit status."""
    if len(sys.argv) < 2:
        print("usage: python -m config.stack.throwaway PROGRAM [ARGUMENT …]", file=sys.stderr)
        return 2
    # an exception, so that the program and the servers are ended on the way out
    for number in signal.SIGTERM, signal.SIGINT:
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        with throwaway_services() as services:
            addresses = {"DATABASE_URL": services.postgres.url(), "REDIS_URL": services.valkey.url()}
            return subprocess.run(sys.argv[1:], env={**os.environ, **addresses}, check=False).returncode
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
