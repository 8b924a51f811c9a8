"""Reads the settings that config/env.py declares.

Sources, the first that has a variable wins: the environment, `.env` beside manage.py and, in development,
`$STATE_DIR/env`, to which `make run` writes the addresses of the database and the cache it started.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import environ

from config import env
from config.contradictions import contradictions
from config.env import Profile, Settings
from config.files import read_env_file
from config.misspelt import misspelt
from config.reader import Reader, SettingsError, settings_of


def load(profile: Profile) -> Settings:
    """Read, check and return the settings for `profile`.

    Raises `SettingsError` naming every missing or malformed variable; no value is repeated in it.
    """
    environment = environ.Env.ENVIRON
    files = [] if profile == "test" else [read_env_file(env.ROOT / ".env")]
    for name in ("DATABASE_URL", "REDIS_URL"):
        if not environment.get(name):
            # a copy of .env.example leaves it empty, which must not hide what `make run` has written down
            environment.pop(name, None)
    reader = Reader(Settings, environment, profile=profile)
    if profile == "development":
        files.append(read_env_file(reader["state_dir"] / "env"))
    settings = reader.read()
    # what stands on a line that cannot be read is not missing as well
    unread = {name for file in files for name in file.unread} - environment.keys()
    problems = [problem for file in files for problem in file.problems]
    problems += [p for p in reader.problems + contradictions(settings) if p.partition(" ")[0] not in unread]
    if problems:
        raise SettingsError(problems)
    return settings


def load_or_exit(profile: Profile) -> Settings:
    """Like `load`; ends the process with the message on stderr and status 1 if the settings are not usable.

    Warns there, too, of variables that look misspelt.
    """
    try:
        return load(profile)
    except SettingsError as error:
        sys.exit(str(error))
    finally:
        for warning in warnings_of(environ.Env.ENVIRON):
            sys.stderr.write(f"Warning: {warning}\n")


def warnings_of(environment: Mapping[str, str]) -> list[str]:
    """What is no problem and yet looks like a mistake."""
    return list(misspelt(environment, (name.upper() for name in settings_of(Settings))))


def problems_of(environment: Mapping[str, str], profile: Profile) -> list[str]:
    """What `load` would refuse of this environment, which no file adds to."""
    reader = Reader(Settings, environment, profile=profile)
    settings = reader.read()
    return reader.problems + contradictions(settings)
