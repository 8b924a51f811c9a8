"""Reads of webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection

from apps.core.bus import Query
from apps.core.errors import NotFound
from apps.core.reads import Cursor, newest_first
from apps.webhooks.models import Endpoint, WebhookDelivery

Row = dict[str, Any]
ENDPOINT = (
    "id", "url", "event_types", "description", "is_active", "disabled_reason", "created_at", "updated_at", "version",
)  # fmt: skip
WANTED = """
    SELECT t FROM unnest(%s::text[]) t WHERE EXISTS (
        SELECT 1 FROM webhooks_endpoint WHERE is_active AND (event_types = '{}' OR t = ANY(event_types)))"""
DELIVERY = ("id", "event_id", "event_type", "state", "log", "due_at", "body")


def attempts_of(log: object) -> list[dict[str, Any]]:
    """The attempts in a delivery's `log`; entries that are not objects are left out."""
    return [entry for entry in log if isinstance(entry, dict)] if isinstance(log, list) else []


def payload_of(body: str) -> dict[str, Any]:
    """What a delivery's `body` says; `{"unreadable": body}` if it is not a JSON object."""
    try:
        payload = orjson.loads(body)
    except ValueError:
        payload = None
    return payload if isinstance(payload, dict) else {"unreadable": body}


@dataclass(frozen=True)
class GetEndpoint(Query[Row]):
    """One endpoint, without its secret. Refused with NotFound."""

    endpoint_id: int


@dataclass(frozen=True)
class ListEndpoints(Query[list[Row]]):
    """Up to `limit + 1` endpoints from `cursor` on, newest first."""

    limit: int
    cursor: Cursor | None = None


@dataclass(frozen=True)
class ListDeliveries(Query[list[Row]]):
    """Up to `limit + 1` deliveries of an endpoint from `cursor` on, newest first. Refused with NotFound."""

    endpoint_id: int
    limit: int
    cursor: Cursor | None = None


@dataclass(frozen=True)
class FindWanted(Query["set[str]"]):
    """Those of `event_types` that an active endpoint wants at this moment."""

    event_types: tuple[str, ...]


def get_endpoint(query: GetEndpoint) -> Row:
    """The endpoint as `GetEndpoint` describes it; one statement."""
    row: Row | None = Endpoint.objects.filter(id=query.endpoint_id).values(*ENDPOINT).first()
    if row is None:
        raise NotFound(f"There is no webhook {query.endpoint_id}.")
    return row


def list_endpoints(query: ListEndpoints) -> list[Row]:
    """The endpoints that `ListEndpoints` asks for; one statement."""
    return list(newest_first(Endpoint.objects.all(), query.cursor).values(*ENDPOINT)[: query.limit + 1])


def list_deliveries(query: ListDeliveries) -> list[Row]:
    """The deliveries that `ListDeliveries` asks for; one statement, a second one only if it finds none."""
    rows = WebhookDelivery.objects.filter(endpoint_id=query.endpoint_id)
    found: list[Row] = list(newest_first(rows, query.cursor).values(*DELIVERY)[: query.limit + 1])
    if not found:
        get_endpoint(GetEndpoint(query.endpoint_id))
    return found


def find_wanted(query: FindWanted) -> set[str]:
    """The types that `FindWanted` asks for; one statement, which every batch of the relay runs."""
    with connection.cursor() as cursor:
        cursor.execute(WANTED, [list(query.event_types)])
        return {event_type for (event_type,) in cursor.fetchall()}
