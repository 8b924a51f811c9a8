"""Runs comparisons on the services that the environment names, and only there: config/compare/run.py starts it.

python -m config.compare RESULTS NAME …    # adds a line of JSON for each to the file RESULTS
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any


def main(results: Path, names: list[str]) -> None:
    """Run the comparisons of these patterns, one after the other, each in a process of its own."""
    import django  # noqa: PLC0415 - the settings must be read here

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from config.compare.processes import Forked  # noqa: PLC0415

    Forked(call_command, "migrate", "--verbosity", "0").answer()
    for name in names:
        start = time.monotonic()
        result = Forked(_compared, name).answer()
        result["seconds"] = round(time.monotonic() - start, 1)
        with results.open("a") as file:
            file.write(json.dumps({"pattern": name, **result}) + "\n")


def _compared(name: str) -> dict[str, Any]:
    experiment = import_module(f"config.compare.{module_of(name)}")
    naive = f"config/compare/naive/{module_of(name)}.py"
    about = " ".join((experiment.__doc__ or "").partition(": ")[2].split())
    return {"experiment": about[:1].upper() + about[1:], "naive_file": naive, **experiment.COMPARISON.run()}


def module_of(name: str) -> str:
    """The name of a pattern's module here and in `naive`."""
    return name.lower().replace(" ", "_")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
