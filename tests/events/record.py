"""Keeps what each version of an event's schema was, in recorded.json: `python -m tests.events.record`, docs/events.md.

What is recorded is never changed: a version is added behind those that there are.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

RECORD = Path(__file__).with_name("recorded.json")
# what may be reworded at any time
WORDS = frozenset({"title", "description", "examples", "x-schema-version", "x-sent-by"})
JsonObject = dict[str, Any]
# by type the versions, the first first; each a schema without words, and an event's content that fits it
Record = dict[str, list[JsonObject]]


class BreakingChange(Exception):
    """What the code says of an event does not fit what is recorded."""


def recorded() -> Record:
    """What recorded.json says."""
    found: Record = json.loads(RECORD.read_text())
    return found


def without_words(schema: JsonObject) -> JsonObject:
    """What a schema asks of a value. The names of members are not keywords, whatever they are."""
    kept = {key: value for key, value in schema.items() if key not in WORDS}
    if "properties" in kept:
        kept["properties"] = {name: without_words(member) for name, member in kept["properties"].items()}
        kept["required"] = sorted(kept.get("required", []))
    return kept


def breaks(old: JsonObject, new: JsonObject) -> list[str]:
    """What a consumer of `old` would not find any more in `new`, both without words: members may only be added."""
    found = []
    for name, member in old["properties"].items():
        if name not in new["properties"]:
            found.append(f"{name} is gone")
        elif new["properties"][name] != member:
            found.append(f"{name} is not what it was")
    was, now = set(old["required"]), set(new["required"])
    found += [f"{name} may be missing now" for name in sorted(was - now) if name in new["properties"]]
    found += [f"{name} was not always there: it needs a default" for name in sorted(now - was)]
    return found


def record(kept: Record, described: dict[str, JsonObject]) -> Record:
    """`kept` and what is new in `described`, by type. Raises BreakingChange, naming all that the rule forbids."""
    wrong = [f"{kind} is gone: what consumes it waits for ever" for kind in sorted(kept.keys() - described.keys())]
    grown = {kind: list(versions) for kind, versions in kept.items()}
    for kind, schema in sorted(described.items()):
        versions, version, bare = grown.setdefault(kind, []), schema["x-schema-version"], without_words(schema)
        if versions and versions[-1]["schema"] == bare and version == len(versions):
            continue
        if versions and (broken := breaks(versions[-1]["schema"], bare)):
            wrong.append(f"{kind}: {', '.join(broken)}. Make it a new type")
        elif version != len(versions) + 1:
            wrong.append(f"{kind}: schema_version has to be {len(versions) + 1}, not {version}")
        versions.append({"schema": bare, "example": schema["examples"][0]})
    if wrong:
        raise BreakingChange("; ".join(wrong))
    return grown


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    import django

    django.setup()
    from apps.events.description import schemas_of_events

    RECORD.write_text(json.dumps(record(recorded() if RECORD.exists() else {}, schemas_of_events()), indent=1) + "\n")
