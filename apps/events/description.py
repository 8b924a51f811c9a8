"""What each event looks like, for those who consume it: the AsyncAPI 3.0 document, made from the classes.

Every event that is not internal is told on every channel. An app that has a channel describes it in its `channels.py`.
Source: https://www.asyncapi.com/docs/reference/specification/v3.0.0; its schemas are JSON Schema, draft 7.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules
from drf_spectacular.plumbing import resolve_type_hint
from drf_spectacular.settings import spectacular_settings

from apps.events.bus import EVENTS, Event, public_types

JsonObject = dict[str, Any]
CHANGES = (
    "How events change: members are added to a type, none is removed, renamed or given another meaning, and what would"
    " break that is a new type. So pass over members and types that you do not know. `x-schema-version` of a schema"
    " counts its additions, and `x-sent-by` names the app that publishes the event."
)
SERVER = {
    "host": "{host}",
    "protocol": "https",
    "description": "This service.",
    "variables": {"host": {"default": "api.example.com"}},
}


@dataclass(frozen=True)
class Channel:
    """A way that events take to others.

    `envelope` is the TypedDict of what is sent, whose `data` is the event's; `headers` the TypedDict of its headers.
    `operation`, `message` and `more` are what AsyncAPI's objects of operation, message and channel have besides;
    `also` has what only this channel tells.
    """

    name: str
    title: str
    description: str
    address: str | None
    server: JsonObject
    operation: JsonObject
    envelope: Any
    headers: Any = None
    message: JsonObject = field(default_factory=dict)
    more: JsonObject = field(default_factory=dict)
    also: tuple[type[Event], ...] = ()

    @property
    def events(self) -> list[type[Event]]:
        """What it tells, by type."""
        return sorted([*(EVENTS[name] for name in public_types()), *self.also], key=lambda cls: cls.type)


CHANNELS: dict[str, Channel] = {}


def describe(channel: Channel) -> None:
    """Add `channel` to the document; for the module `channels` of an app."""
    CHANNELS[channel.name] = channel


def channels() -> list[Channel]:
    """Every channel of the installed apps."""
    autodiscover_modules("channels")
    return list(CHANNELS.values())


def data_schema(cls: type[Event]) -> JsonObject:
    """JSON Schema of `data()` of the events of `cls`.

    A field with a default is not required: it was added, and what was published before has it not.
    """
    hints = get_type_hints(cls, include_extras=True)
    members = {f.name: _member(hints[f.name]) for f in fields(cls)}
    later = {f.name for f in fields(cls) if f.default is not MISSING or f.default_factory is not MISSING}
    return {
        "title": cls.__name__,
        "description": " ".join((cls.__doc__ or "").split()),
        "type": "object",
        "properties": members,
        "required": [name for name in members if name not in later],
        "x-schema-version": cls.schema_version,
        "x-sent-by": sender(cls),
    }


def sender(cls: type[Event]) -> str:
    """The app that publishes `cls`: the one whose `events.py` has it."""
    return cls.__module__.split(".")[-2:][0]


def example(schema: JsonObject) -> JsonObject:
    """What fits `schema`, an object's: the first example of each member that has one."""
    members = schema["properties"].items()
    return {name: member["examples"][0] for name, member in members if "examples" in member}


def schemas_of_events() -> dict[str, JsonObject]:
    """The schema of every event that a channel tells, by type, each with an example.

    Raises ImproperlyConfigured, naming every member of an event that has no description or no example.
    """
    told = {cls.type: cls for channel in channels() for cls in channel.events}
    schemas = {name: data_schema(cls) for name, cls in sorted(told.items())}
    if untold := [
        f"{name}: {member} has no {word}"
        for name, schema in schemas.items()
        for member, said in schema["properties"].items()
        for word in ("description", "examples")
        if word not in said
    ]:
        raise ImproperlyConfigured(f"Every member of an event needs both for those who consume it. {'; '.join(untold)}")
    for schema in schemas.values():
        schema["examples"] = [example(schema)]
    return schemas


@lru_cache(maxsize=1)
def document() -> JsonObject:
    """The AsyncAPI document; made once per process. Raises ImproperlyConfigured like `schemas_of_events`."""
    all_channels, schemas = channels(), schemas_of_events()
    for channel in all_channels:
        schemas[f"{channel.name}.envelope"] = _typed_dict(channel.envelope)
        if channel.headers:
            schemas[f"{channel.name}.headers"] = _typed_dict(channel.headers)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{spectacular_settings.TITLE}: events",
            "version": spectacular_settings.VERSION,
            "description": CHANGES,
        },
        "defaultContentType": "application/json",
        "servers": {channel.name: channel.server for channel in all_channels},
        "channels": {channel.name: _channel(channel, schemas) for channel in all_channels},
        "operations": {channel.name: _operation(channel) for channel in all_channels},
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(channel: Channel) -> JsonObject:
    return {"action": "send", "channel": {"$ref": f"#/channels/{channel.name}"}, **channel.operation}


def _channel(channel: Channel, schemas: JsonObject) -> JsonObject:
    return {
        "address": channel.address,
        "title": channel.title,
        "description": channel.description,
        "servers": [{"$ref": f"#/servers/{channel.name}"}],
        **channel.more,
        "messages": {cls.type: _message(channel, cls, schemas) for cls in channel.events},
    }


def _message(channel: Channel, cls: type[Event], schemas: JsonObject) -> JsonObject:
    data, envelope, headers = schemas[cls.type], f"{channel.name}.envelope", f"{channel.name}.headers"
    its_own = {"type": {"const": cls.type}, "data": _ref(cls.type)}
    message: JsonObject = {
        "name": cls.type,
        "summary": data["description"],
        "tags": [{"name": data["x-sent-by"]}],
        **channel.message,
        "payload": {"allOf": [_ref(envelope), {"properties": its_own}]},
        "examples": [{"payload": example(schemas[envelope]) | {"type": cls.type, "data": data["examples"][0]}}],
    }
    if channel.headers:
        message["headers"] = _ref(headers)
        message["examples"][0]["headers"] = example(schemas[headers])
    return message


def _ref(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


def _typed_dict(cls: Any) -> JsonObject:
    """JSON Schema of a TypedDict, all of whose members are always there."""
    members = {name: _member(hint) for name, hint in get_type_hints(cls, include_extras=True).items()}
    return {"type": "object", "properties": members, "required": [*members]}


def _member(hint: Any) -> JsonObject:
    """JSON Schema of one member: its type's, and the keywords beside it."""
    kind, *keywords = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    schema: JsonObject = dict(resolve_type_hint(kind))  # type: ignore[no-untyped-call] # the library's, untyped
    if schema.pop("nullable", False):
        schema["type"] = [schema["type"], "null"]
    for more in keywords:
        schema |= more
    return schema
