"""What the servers from wheels share: where their programs are, what they get, how their passwords are kept.

The wheels' own Python APIs stay unused: as root they add accounts and open up parent folders.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from config.stack.account import obstacle

HOST = "127.0.0.1"
CONNECT_TIMEOUT = 2
PASSWORD = re.compile(r"[A-Za-z0-9_-]{40,}")


class ServiceError(Exception):
    """A service cannot be started; the message says why and what to do."""


def draw_password() -> str:
    """A password that nobody can guess, and that needs no escaping in URLs, SQL and Valkey's configuration."""
    return secrets.token_urlsafe(32)


def remembered(url: str) -> tuple[int | None, str]:
    """Port and password in `url`, if it is that of a server started here before; else None and a new password."""
    try:
        parts = urlsplit(url)
        port, password = parts.port, parts.password or ""
    except ValueError:
        return None, draw_password()
    if parts.hostname == HOST and PASSWORD.fullmatch(password):
        return port, password
    return None, draw_password()


def environment() -> dict[str, str]:
    """What the servers need of the environment: the rest would lead them elsewhere, or has secrets in it."""
    needed = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {"LC_ALL": "C", **{name: os.environ[name] for name in needed if name in os.environ}}


def program(package: str, pattern: str, product: str, variable: str) -> Path:
    """The program of `product` in `package`. Raises ServiceError if it is missing or cannot run; `variable` helps."""
    # found, not imported: importing these packages is slow, and gives warnings
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for found in Path(folder).glob(pattern):
            if problem := obstacle(found):
                raise ServiceError(
                    f"Started by root, {product} has to run as the account nobody, and here it cannot: {problem}. "
                    f"Mend that, start as another user, or set {variable} to a server of your own"
                )
            return found
    raise ServiceError(f"There is no {product} wheel for this system ({sys.platform}): set {variable} to one you run")
