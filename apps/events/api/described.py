"""Every event, described: the AsyncAPI document, and the page that shows it to people."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core.api.schema import answer_with
from apps.core.http.problems import only_safe
from apps.events.bus import EVENTS, receivers_of
from apps.events.description import CHANGES, document

Shown = dict[str, Any]


@only_safe
def asyncapi(request: HttpRequest) -> HttpResponse:
    """The AsyncAPI document."""
    return answer_with(document(), request)


@only_safe
def events_page(request: HttpRequest) -> HttpResponse:
    """The same for people: channels and events, each with its members and an example."""
    described = document()
    channels = [_channel(name, described) for name in described["channels"]]
    kinds = sorted({kind for channel in described["channels"].values() for kind in channel["messages"]})
    shown = {"changes": _prose(CHANGES), "channels": channels, "events": [_event(kind, described) for kind in kinds]}
    return render(request, "events/described.html", shown)


def _channel(name: str, described: Shown) -> Shown:
    channel, schemas = described["channels"][name], described["components"]["schemas"]
    first = next(iter(channel["messages"].values()))["examples"][0]
    server = described["servers"][name]
    parts = [("Headers", schemas.get(f"{name}.headers")), ("Body", schemas[f"{name}.envelope"])]
    return {
        "name": name,
        "title": channel["title"],
        "description": _prose(channel["description"]),
        "address": f"{server['protocol']}://{server['host']}{channel['address'] or '/…'}",
        "method": described["operations"][name]["bindings"]["http"]["method"],
        "parts": [(title, _members(schema)) for title, schema in parts if schema],
        "headers": [f"{header}: {value}" for header, value in first.get("headers", {}).items()],
        "example": _pretty(first["payload"]),
    }


def _event(kind: str, described: Shown) -> Shown:
    schema = described["components"]["schemas"][kind]
    return {
        "type": kind,
        "description": _prose(schema["description"]),
        "sender": schema["x-sent-by"],
        "version": schema["x-schema-version"],
        "channels": [name for name, channel in described["channels"].items() if kind in channel["messages"]],
        "receivers": [receiver.name for receiver in receivers_of(kind)] if kind in EVENTS else [],
        "members": _members(schema),
        "example": _pretty(schema["examples"][0]),
    }


def _members(schema: Shown) -> list[Shown]:
    """The rows of a table of what an object has."""
    return [
        {
            "name": name,
            "kind": " or ".join([member["type"]] if isinstance(member["type"], str) else member["type"]),
            "format": member.get("format", ""),
            "choices": member.get("enum", []),
            "always": name in schema["required"],
            "description": _prose(member.get("description", "What the event says; see below.")),
        }
        for name, member in schema["properties"].items()
    ]


def _prose(text: str) -> SafeString:
    """`text` as HTML: what stands between backticks is code."""
    parts = (format_html("<code>{}</code>", part) if odd % 2 else part for odd, part in enumerate(text.split("`")))
    return format_html_join("", "{}", ((part,) for part in parts))


def _pretty(value: Shown) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
