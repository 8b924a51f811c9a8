"""What a user may see of their own sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, QuerySet
from django.db.models.functions import Coalesce, Now

from apps.core.bus import Query
from apps.users.models import Session
from apps.users.queries import GetCaller, get_caller
from apps.users.reads import active
from apps.users.tokens import Claims

# nobody looks through more; ending all the others ends those that are not listed, too
MOST_LISTED = 100
SHOWN = ("id", "created_at", "expires_at", "network", "user_agent")


@dataclass(frozen=True)
class ListSessions(Query[list[dict[str, Any]]]):
    """The caller's sessions that have not ended, newest first: up to MOST_LISTED, and the caller's own among them.

    Each with `id`, `created_at`, `last_used_at` (log-in or last refresh), `expires_at`, `network` and `user_agent`
    ("" if not known), and `current`. Refused with NotAuthenticated.
    """

    caller: Claims


def list_sessions(query: ListSessions) -> list[dict[str, Any]]:
    """The sessions of `ListSessions`; one statement, a second one only if it found none, or not the caller's own."""
    caller = query.caller
    live = live_sessions().filter(Exists(active(caller)), user_id=caller.user_id)
    found = list(_shown(live)[:MOST_LISTED])
    if not found:
        get_caller(GetCaller(caller))
    if caller.session_id and len(found) == MOST_LISTED and all(row["id"] != caller.session_id for row in found):
        found[-1:] = _shown(live.filter(id=caller.session_id))
    return [row | {"current": row["id"] == caller.session_id} for row in found]


def live_sessions() -> QuerySet[Session]:
    """All sessions that have neither ended nor expired."""
    return Session.objects.filter(revoked_at=None, expires_at__gt=Now())


def _shown(rows: QuerySet[Session]) -> QuerySet[Session, dict[str, Any]]:
    last_used = Coalesce(F("refreshed_at"), F("created_at"))
    found: QuerySet[Session, dict[str, Any]] = rows.values(*SHOWN, last_used_at=last_used)
    return found.order_by("-created_at")
