"""What is kept about a person in the tables that belong to no domain: answers to repeats, and the admin's log."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection
from django.db.models import Q

from apps.core import answers
from apps.core.models import AdminNote, IdempotentAnswer
from apps.core.personal import Holding, Person, Row, hold, walk

ABOUT = (
    "users.user",
    "profiles.profile",
)
BATCH, WALKED = 1000, 5000
NAMED = "UPDATE core_adminnote SET name = %(called)s WHERE model = ANY(%(about)s) AND object_id = %(key)s"
ACTED = """
    UPDATE core_adminnote SET who = %(called)s WHERE id IN (
        SELECT id FROM core_adminnote WHERE user_id = %(user_id)s AND who <> %(called)s LIMIT %(limit)s)"""
MENTIONED = """
    UPDATE core_adminnote SET name = left(regexp_replace(name, %(written)s, %(pseudonym)s, 'gi'), 200),
        message = regexp_replace(message, %(written)s, %(pseudonym)s, 'gi')
    WHERE id BETWEEN %(first)s AND %(last)s AND at <= %(gone_at)s AND model <> 'users.user'
        AND concat_ws(' ', name, message) ~* %(written)s"""
# what an earlier release wrote
OLDER = """
    UPDATE django_admin_log l SET object_repr = %(called)s, change_message = '' FROM django_content_type t
    WHERE t.id = l.content_type_id AND t.app_label || '.' || t.model = ANY(%(about)s) AND l.object_id = %(key)s"""


def _run(sql: str, person: Person, **more: int) -> int:
    values = person.values | {"key": str(person.user_id), "about": list(ABOUT), "limit": BATCH}
    with connection.cursor() as cursor:
        cursor.execute(sql, values | more)
        return int(cursor.rowcount)


def erase_name(person: Person) -> None:
    """Let the log call them by their number, in the transaction of their deletion."""
    _run(NAMED, person)


def erase_acts(person: Person, after: str) -> str | None:
    """Let the log call them by their number where they acted."""
    if not after:
        _run(NAMED, person)
        _run(OLDER, person)
    return "more" if _run(ACTED, person) == BATCH else None


def erase_mentions(person: Person, after: str) -> str | None:
    """Blank the entries about something else that name them."""
    return walk(AdminNote, after, WALKED, lambda first, last: _run(MENTIONED, person, first=first, last=last))


def erase_answers(person: Person, after: str) -> None:
    """Delete what was kept by a request that was under way when they were deleted."""
    answers.forget_person(person.user_id)


def tell_notes(person: Person) -> Iterator[Row]:
    """What was done in the admin to them and by them."""
    about = Q(user_id=person.user_id) | Q(model__in=ABOUT, object_id=str(person.user_id))
    notes = AdminNote.objects.filter(about).order_by("-id").values("at", "user_id", "flag", "model", "name", "message")
    yield from notes[:BATCH]


def tell_answers(person: Person) -> Iterator[Row]:
    """The answers kept for a day to be given again; what they say is encrypted, and was said to them."""
    about = Q(caller_id=person.user_id) | Q(subject_id=person.user_id)
    yield from IdempotentAnswer.objects.filter(about).order_by("-created_at").values("status", "created_at")[:BATCH]


hold(Holding("admin_log", tell=tell_notes, at_once=erase_name, step=erase_acts))
hold(Holding("admin_log_mentions", step=erase_mentions))
hold(Holding("kept_answers", tell=tell_answers, step=erase_answers))
