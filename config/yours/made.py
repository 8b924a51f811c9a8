"""`python -m config.yours.made`: writes anew what is made from the code, in the folder that it is run in."""

from __future__ import annotations

import runpy
from pathlib import Path

import django
from django.core.management import call_command

from config.example import example

EXAMPLE = Path(".env.example")
BY_COMMAND = {"openapi.yaml": "spectacular", "asyncapi.yaml": "asyncapi"}


def main() -> None:
    """Write each file that is there."""
    django.setup()
    if EXAMPLE.exists():
        EXAMPLE.write_text(example(), encoding="utf-8")
    for file, command in BY_COMMAND.items():
        if Path(file).exists():
            call_command(command, "--file", file)
    runpy.run_module("tests.docs.blocks", run_name="__main__")


if __name__ == "__main__":
    main()
