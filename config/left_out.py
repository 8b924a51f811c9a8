"""Some libraries import others wherever those are installed, for what nobody here asks them.

That is a tenth of the time that each process takes to start, and up to ten MiB of its memory. Here they are told that
there is no such library, which they are ready for; everybody else gets it. Checked with redis-py 8.1.0, structlog
26.1.0, kombu 5.7.0, djangorestframework 3.18.3, httpx 0.28.1, PyJWT 2.15.1, granian 2.8.7 and Django 5.2.19; if an
upgrade imports one elsewhere, tests/config/test_start.py fails.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from inspect import currentframe
from types import ModuleType

# the library, and the modules that do not get it
LEFT_OUT = {
    # for metrics of redis-py's own
    "opentelemetry": ("redis.observability.providers", "redis.observability.metrics"),
    # for tests that speak to a server by it
    "requests": ("rest_framework.compat",),
    # for tracebacks with the values of variables, which may be secrets
    "rich": ("structlog.dev", "structlog.tracebacks"),
    # for colours in pages that show the API, and in httpx's command line
    "pygments": ("rest_framework.compat", "httpx._main"),
    # for messages as YAML, and for another schema; ours are JSON
    "yaml": ("kombu.serialization", "rest_framework.compat"),
    # for tokens that are signed with a pair of keys
    "cryptography": ("jwt.algorithms", "jwt.utils"),
    # for a server that looks for changed files itself
    "watchfiles": ("granian._imports",),
    "anyio": ("granian._imports",),
    # for templates of its own, which tests look at
    "jinja2": ("django.test.utils",),
}


class LeftOut:
    """A finder of modules that finds none; refuses a library of LEFT_OUT to those who ask for it."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Raises ModuleNotFoundError for a library that the importing module does not get."""
        library = fullname.partition(".")[0]
        if library in LEFT_OUT and importing() in LEFT_OUT[library]:
            raise ModuleNotFoundError(f"{library} is left out by {__name__}", name=library)


def importing() -> str:
    """The name of the module whose import statement runs."""
    frame = currentframe()
    while frame and (frame.f_globals is globals() or frame.f_code.co_filename.startswith("<frozen importlib")):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__")) if frame else ""


def leave_out() -> None:
    """Refuse what is in LEFT_OUT, in this process."""
    sys.meta_path.insert(0, LeftOut())
