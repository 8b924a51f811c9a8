"""Prints `.env.example`, made from what `config.env` declares:   python -m config.example > .env.example"""

from __future__ import annotations

import sys

from config.env import Settings
from config.product import SLUG
from config.reader import documented, entry, heading

ABOUT = """\
# Every variable that the service reads, made from config/env.py by `python -m config.example > .env.example`.
#
# Copy this file to .env. The environment wins over .env, and in development `make run` fills in DATABASE_URL and
# REDIS_URL by itself. An empty variable is not set. Durations are in seconds unless the name says otherwise. The
# profile is chosen in the environment and not here, by DJANGO_SETTINGS_MODULE=config.settings.production.
#
# A line is NAME=value, a comment has a line of its own, and each name stands here once. A value is what it is: nothing
# in it refers to another variable. Docker Compose, which reads .env too, does replace $NAME: put 'single quotes'
# around a value with $ in it. In a URL percent-encode what is special in a user or password: # is %23, / is %2F, ? is
# %3F, @ is %40, % is %25.
"""
# read by what starts the service and not by it: an empty variable hides what an image or a unit has set
ELSEWHERE = (
    ("PORT", "8000", "The port of the web server, with `make run`, `make serve` and docker compose"),
    ("HOST", "127.0.0.1", "The address it listens on, with `make run` and `make serve`"),
    (
        "RELOAD",
        "true",
        "Whether `make run` runs code that was saved under apps/ and config/ at once; false: when it is started again",
    ),
    (
        "PROMETHEUS_MULTIPROC_DIR",
        "/tmp/metrics",  # noqa: S108 # an example
        "The folder in which the processes of a server or worker add up their numbers: on this machine, best in "
        "memory. Not set: a folder in STATE_DIR, named by PORT or METRICS_PORT",
    ),
    (
        "POSTGRES_PASSWORD",
        "",
        "The password of docker compose's database, of any characters; it counts when the volume is made",
    ),
    ("ENV_FILE", ".env", "The file of settings that docker compose gives the service"),
    ("IMAGE", SLUG, "The image that docker compose builds and runs"),
    (
        "PROMETHEUS_PORT",
        "9090",
        "The port of Prometheus on this machine, with `docker compose --profile monitoring up`",
    ),
    ("GRAFANA_PORT", "3000", "The port of Grafana, likewise"),
    ("GRAFANA_PASSWORD", "", "The password of Grafana's user admin"),
)


def example() -> str:
    """The content of `.env.example`."""
    others = [entry(f"# {name}", about, value) for name, value, about in ELSEWHERE]
    return "\n".join([ABOUT + documented(Settings), heading("what starts the service"), *others]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(example())
