"""Refuses what docker compose would change in .env without saying so: a $ outside single quotes.

    python -m config.deploy.dotenv .env

Compose takes `$NAME` for a reference, in .env as well, and puts in nothing if there is no such variable. This service
reads values as they are written, and single quotes make both read the same.
Source: https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from config import streams

ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(?P<name>\w+)\s*[=:]\s*(?P<value>.*)")
SINGLE_QUOTED = re.compile(r"'[^']*'\s*(?:#.*)?")


def problems(text: str) -> list[str]:
    """A line for each value that Compose would change; none of them holds a value."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        assignment = ASSIGNMENT.fullmatch(line)
        if assignment and "$" in assignment["value"] and not SINGLE_QUOTED.fullmatch(assignment["value"]):
            found.append(
                f"line {number}: docker compose takes the $ in {assignment['name']} for a reference to another"
                " variable: put the value in single quotes"
            )
    return found


def main(path: Path) -> None:
    """End with status 1 and all that is wrong with the file; a file that does not exist is fine."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    if found := problems(text):
        sys.exit("\n".join([f"{path.name} is not usable with docker compose:", *(f"  {line}" for line in found)]))


if __name__ == "__main__":
    streams.capture()
    main(Path(sys.argv[1]))
