"""Variables that look like a misspelling of one of ours: nobody reads them, and the default is used without a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

# what is read by what starts the service, beside the settings themselves
STARTING = (
    *("DJANGO_SETTINGS_MODULE", "RELOAD", "HOST", "PORT", "LOG_STREAM", "PROMETHEUS_MULTIPROC_DIR", "TOUR_URL"),
    *("POSTGRES_PASSWORD", "ENV_FILE", "IMAGE", "PROMETHEUS_PORT", "GRAFANA_PORT", "GRAFANA_PASSWORD"),
)
# no accident: one letter of a long name, or two that have changed places
CLOSE = 0.85
# a shorter name is close to too many others
SHORTEST = 6
# families of others, some of whose names are like one of ours
OTHERS = ("OTEL_", "PYTHON", "npm_", "GITHUB_", "CI_", "XDG_")
LOOK_ALIKE = frozenset({"DATABASE_USER"})


def misspelt(environment: Mapping[str, str], settings: Iterable[str]) -> Iterator[str]:
    """A warning for each variable that seems to mean another one, which is not set itself; no value is repeated."""
    known = {*settings, *STARTING}
    missing = [name for name in known if len(name) >= SHORTEST and not environment.get(name)]
    for name in sorted(environment):
        if name in known | LOOK_ALIKE or name.startswith(OTHERS) or not environment[name]:
            continue
        for meant in get_close_matches(name.upper(), missing, n=1, cutoff=CLOSE):
            yield f"{name} is set, which nobody reads: is {meant} meant?"
