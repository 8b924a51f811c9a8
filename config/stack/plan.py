"""What `make run` runs: the settings it reads itself, and the processes on top of database and cache."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from apps.core.telemetry.slots import VARIABLE
from config.env import Profile
from config.kinds import FLAGS
from config.load import problems_of
from config.reader import SettingsError
from config.server.serve import address
from config.stack.child import Child

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "apps", ROOT / "config"
# for an EXTERNAL_API_URL that was set without a key; our own directory gets a key of its own
PEOPLE_KEY = "development-people-key"  # of profiles
# a worker for each, named after it here, in Celery and in docker-compose.yml: a long job must not hold up events, nor a
# slow mail server, directory or receiver
QUEUES = (
    "events",
    "io",
    "webhooks",
    "jobs",
)
# how the output of `prepare` ends if there is some
DEMO_DATA = "demo data in place"
PYTHON = sys.executable
# of no use on a developer's machine, and six lines long
ROOT_WARNING = "ignore:You're running the worker with superuser privileges:Warning"


# an open tour looks every second; what goes wrong with a look is shown
TOURS_LOOKS = re.compile(r"request_finished .*\bpath=/tour/now\b.*\bstatus=200\b")


class PlanError(Exception):
    """The stack cannot run as the environment says; the message says what is wrong and what would be right."""


@dataclass(frozen=True)
class Plan:
    """Where this copy of the stack listens and keeps its state.

    `metrics_folder` is where all processes add up their metrics, so that /metrics shows the workers', too. `watched`
    are the folders in which a saved file makes the processes take the new code.
    """

    host: str
    port: int
    state_dir: Path
    metrics_folder: Path
    watched: tuple[Path, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Plan:
        """Read HOST, PORT, STATE_DIR and RELOAD. Raises `AddressError` if the port cannot be used, and `PlanError`."""
        host, port = address(environment)
        state_dir = Path(environment.get("STATE_DIR") or ROOT / ".local").absolute()
        metrics_folder = Path(environment.get(VARIABLE) or state_dir / "metrics").absolute()
        reload = FLAGS.get((environment.get("RELOAD") or "true").lower())
        if reload is None:
            raise PlanError(f"RELOAD must be one of {', '.join(FLAGS)}, not {environment['RELOAD']!r}")
        return cls(host, port, state_dir, metrics_folder, CODE if reload else ())

    def check(self) -> None:
        """Raise `SettingsError` if the service could not be started with these settings, before anything is."""
        # what the stack itself starts is not there yet
        later = {"DATABASE_URL": "postgres://app@127.0.0.1/app", "REDIS_URL": "redis://127.0.0.1"}
        environment = later | {name: value for name, value in os.environ.items() if value}
        profile = environment.get("DJANGO_SETTINGS_MODULE", "").rpartition(".")[2] or "development"
        if profile not in get_args(Profile):
            return
        if problems := problems_of(self.environment({}, coloured=False) | environment, cast(Profile, profile)):
            raise SettingsError(problems)

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the web server; no slash at the end."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def env_file(self) -> Path:
        """The file that tells manage.py in a second terminal where database and cache are."""
        return self.state_dir / "env"

    def environment(self, addresses: Mapping[str, str], *, coloured: bool) -> dict[str, str]:
        """The environment of every process: ours, `addresses`, and the defaults of development."""
        inherited = {
            name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
        }
        return {
            "DJANGO_SETTINGS_MODULE": "config.settings.development",
            "EXTERNAL_API_KEY": PEOPLE_KEY,
            "PUBLIC_URL": self.url,
            **({"FORCE_COLOR": "1"} if coloured else {}),
            **({"PYTHONWARNINGS": ROOT_WARNING} if os.geteuid() == 0 else {}),
            # the newest spans, for a page
            "OTEL_TRACES_EXPORTER": "valkey",
            **inherited,
            **addresses,
            "HOST": self.host,
            "PORT": str(self.port),
            "STATE_DIR": str(self.state_dir),
            "TOUR_URL": self.url,
            VARIABLE: str(self.metrics_folder),
            "PYTHONUNBUFFERED": "1",
            # Celery: SIGTERM lets tasks finish for a few seconds, then hands them back
            "REMAP_SIGTERM": "SIGQUIT",
        }


def prepare(environment: Mapping[str, str], *, seed: bool) -> Child:
    """Migrations and, with `seed`, demo data; ends by itself, and says in its last line what became of the data."""
    command = (PYTHON, "-m", "config.stack.prepare", *(["--seed"] if seed else []))
    return Child(name="prepare", command=command, environment=environment, forked=True)


def fork_server(environment: Mapping[str, str], listener: int) -> Child:
    """Loads the service for all that follow, which are its forks."""
    command = (PYTHON, "-m", "config.stack.forkserver")
    return Child(name="forkserver", command=command, environment=environment, descriptors=(listener,))


def web(environment: Mapping[str, str], listener: int) -> Child:
    """The web server, on the socket `listener`."""
    command = (PYTHON, "-m", "config.server", "--preload", "--fd", str(listener))
    return Child(
        name="web",
        command=command,
        environment=environment,
        shown=True,
        unshown=TOURS_LOOKS,
        descriptors=(listener,),
        forked=True,
    )


def relay(environment: Mapping[str, str]) -> Child:
    """The relay, which passes events on."""
    return Child(name="relay", command=(PYTHON, "manage.py", "relay"), environment=environment, shown=True, forked=True)


def background(environment: Mapping[str, str], state_dir: Path) -> list[Child]:
    """Celery's workers, one for each queue, and its beat."""
    celery = (PYTHON, "-m", "config.background")
    worker = (*celery, "worker")
    commands: dict[str, tuple[str, ...]] = {
        f"worker-{queue}": (*worker, "-n", f"worker-{queue}@%h", "-Q", queue, "-c", "2" if queue == "io" else "1")
        for queue in QUEUES
    }
    commands["beat"] = (*celery, "beat", "--schedule", str(state_dir / "beat-schedule"), "--pidfile=")
    return [
        Child(name=name, command=command, environment=environment, shown=name != "beat", forked=True)
        for name, command in commands.items()
    ]
