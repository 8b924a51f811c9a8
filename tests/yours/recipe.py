"""The steps of docs/recipes/taking-parts-out.md: `python -m tests.yours.recipe PART…` prints them for a shell.

Without a part it prints those of all parts.
"""

from __future__ import annotations

import re
import sys

from tests.processes import ROOT

PAGE = ROOT / "docs" / "recipes" / "taking-parts-out.md"
SECTION = re.compile(r"^## (\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
STEPS = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def parts() -> dict[str, str]:
    """The steps of each part that has not been taken out, by its name."""
    told = {heading.lower(): "".join(STEPS.findall(text)) for heading, text in SECTION.findall(PAGE.read_text())}
    return {name: steps for name, steps in told.items() if (ROOT / "apps" / name).is_dir()}


if __name__ == "__main__":
    sys.stdout.write("".join(parts()[name] for name in sys.argv[1:] or parts()))
