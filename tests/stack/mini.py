"""A small stack: database, cache and a family of processes that ignore SIGTERM.

python -m tests.stack.mini STATE_DIR     # prints "ready", runs until SIGTERM
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from config.server.ports import free_port
from config.stack.child import Child
from config.stack.postgres import Postgres
from config.stack.state import StateError, locked, write_addresses
from config.stack.supervisor import Interrupted, Supervisor
from config.stack.valkey import Valkey

IGNORING = "import signal, time; signal.signal(15, signal.SIG_IGN)"
STUBBORN = f"{IGNORING}; time.sleep(600)"
FAMILY = f"import subprocess, sys; [subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]) for _ in 'ab']; {STUBBORN}"


def main(state_dir: Path) -> None:
    """Run until SIGTERM; exits with one line and status 1 when another copy holds the folder."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    try:
        with locked(state_dir, "a test") as lock, Supervisor(state_dir / "logs", None, (lock,), stopping) as supervisor:
            bring_up(supervisor, state_dir)
            say("ready")
            supervisor.wait_for(lambda: False, float("inf"))
    except StateError as error:
        sys.exit(str(error))
    except Interrupted:
        say("stopped")


def say(word: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def bring_up(supervisor: Supervisor, state_dir: Path) -> None:
    """Start all three and write down where database and cache are."""
    postgres, valkey = Postgres(state_dir / "pg", free_port()), Valkey(state_dir / "valkey", free_port())
    postgres.prepare(supervisor.run_once)
    command = (sys.executable, "-c", FAMILY)
    family = Child(name="family", command=command, environment=os.environ, stop=((signal.SIGTERM, 0.3),))
    for child in postgres.child(), valkey.child(), family:
        supervisor.start(child)
    if not supervisor.wait_for(lambda: postgres.ready() and valkey.ready(), 20):
        sys.exit("the services did not start")
    postgres.create_database()
    write_addresses(state_dir / "env", {"DATABASE_URL": postgres.url(), "REDIS_URL": valkey.url()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
