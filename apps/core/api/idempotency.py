"""Idempotency keys: a POST that is repeated under its key runs once and is answered the same.

The answer is kept in the transaction of the work, so a crash leaves both or neither and blocks nothing; an advisory
lock of that transaction tells a repeat that the first is still in flight. Answers are kept for a day, encrypted.
Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request

from apps.core.crypto import Box, Unreadable
from apps.core.models import IdempotentAnswer

PURPOSE = "idempotent answers"
KEPT_FOR = timedelta(hours=24)
KEY = re.compile(r"[\x20-\x7e]{1,255}")
# replaces an answer that is older than a day, if there is one
KEEP = """
    INSERT INTO core_idempotentanswer (key, fingerprint, status, headers, body, caller_id, subject_id)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status,
        headers = excluded.headers, body = excluded.body, created_at = excluded.created_at,
        caller_id = excluded.caller_id, subject_id = excluded.subject_id"""
RENEW = "UPDATE core_idempotentanswer SET body = %s WHERE key = %s AND body = %s"
LOCK = """
    SELECT pg_try_advisory_xact_lock(%s);
    SELECT fingerprint, status, headers, body FROM core_idempotentanswer
    WHERE key = %s AND created_at > now() - make_interval(secs => %s)"""
Post = Callable[..., HttpResponse]


class InvalidKey(exceptions.APIException):
    """The Idempotency-Key header is not a valid key."""

    status_code = 400
    default_code = "invalid_idempotency_key"
    default_detail = "Idempotency-Key must have 1 to 255 printable ASCII characters."


class InFlight(exceptions.APIException):
    """The first request under this key has not been answered yet."""

    status_code = 409
    default_code = "idempotency_in_flight"
    default_detail = "The first request with this Idempotency-Key is still being worked on; try again."
    wait = 1


class KeyReused(exceptions.APIException):
    """The key came with another request before."""

    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used for another request; take a new key for a new request."


class AnswerLost(exceptions.APIException):
    """The work was done, but the key that encrypted its answer is gone."""

    status_code = 409
    default_code = "idempotency_answer_lost"
    default_detail = (
        "The request with this Idempotency-Key was carried out, and its answer can no longer be read: look its result"
        " up, or take a new key to do it once more."
    )


class Kept(NamedTuple):
    """An answer as the table holds it; the body is encrypted."""

    fingerprint: str
    status: int
    headers: dict[str, str]
    body: str


def whole_body(view: Any, request: Request) -> str:
    """A digest of the request's body."""
    return hashlib.sha256(request.body).hexdigest()


def user_or_address(request: Request) -> str:
    """Whom a key belongs to: the user, else the client's address."""
    user_id = _user_id(request)
    return f"addr:{request.META.get('REMOTE_ADDR')}" if user_id is None else f"user:{user_id}"


def transaction_of(view: Any, request: Request) -> AbstractContextManager[object]:
    """The transaction that a request with a key runs in."""
    return transaction.atomic()


def run_statement(sql: str, params: Sequence[Any]) -> None:
    """Run a statement that has no answer."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


@dataclass(frozen=True)
class RunOnce:
    """Decorator for a view's `post`: with an Idempotency-Key it runs once per caller and key for 24 hours.

    Authentication and permissions come before it, so whoever may no longer call gets no replay. `digest_of` takes in
    the whole body before the transaction begins, since a client may take its time; `caller_of` says whom a key belongs
    to; `atomic` makes the transaction, and `send` keeps the answer in it. A view whose attribute `keeps_refusals` is
    true keeps what was written before an error in `refusals`; its attribute `subject_id` names the user that an answer
    tells about.
    """

    digest_of: Callable[[Any, Request], str] = whole_body
    caller_of: Callable[[Request], str] = user_or_address
    atomic: Callable[[Any, Request], AbstractContextManager[object]] = transaction_of
    send: Callable[[str, Sequence[Any]], None] = run_statement
    refusals: tuple[type[Exception], ...] = (exceptions.APIException,)

    def __call__(self, post: Post) -> Post:
        """Wrap `post` to run once per key; its attribute `runs_once` tells the schema."""

        @functools.wraps(post)
        def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
            given = request.META.get("HTTP_IDEMPOTENCY_KEY")
            key = None if given is None else _digest(self.caller_of(request), _read(given))
            digest = self.digest_of(view, request)
            if key is None:
                return post(view, request, *args, **kwargs)
            with self.atomic(view, request):
                if kept := _lock(key):
                    return _again(key, kept, _fingerprint(request, digest))
                try:
                    answer = post(view, request, *args, **kwargs)
                except self.refusals as error:
                    if not getattr(view, "keeps_refusals", False):
                        raise
                    refusal = error
                else:
                    people = (_user_id(request), getattr(view, "subject_id", None))
                    self.send(KEEP, _kept_as(key, _fingerprint(request, digest), answer, people))
                    return answer
            raise refusal

        once.runs_once = True  # type: ignore[attr-defined] # read by the schema
        return once


def prune() -> int:
    """Delete answers that are no longer kept; returns how many."""
    deleted, _ = IdempotentAnswer.objects.filter(created_at__lt=Now() - KEPT_FOR).delete()
    return deleted


def _read(header: str) -> str:
    # the draft wants a quoted string, most clients send it without quotes
    key = header[1:-1] if len(header) > 2 and header[0] == header[-1] == '"' else header
    if not KEY.fullmatch(key):
        raise InvalidKey
    return key


def _user_id(request: Request) -> int | None:
    return getattr(request.user, "id", None)


def _fingerprint(request: Request, digest: str) -> str:
    """A digest of all that makes two requests the same."""
    parts = (request.method, request.get_full_path(), request.version, request.content_type, digest)
    return _digest(*map(str, parts))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _lock(key: str) -> Kept | None:
    """Take the key until the transaction ends, and return the answer that is kept under it. Raises InFlight.

    Two statements in one trip, and not one: the look has to come after the lock.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [int(key[:15], 16), key, KEPT_FOR.total_seconds()])
        if not cursor.fetchone()[0]:
            raise InFlight
        cursor.nextset()
        row = cursor.fetchone()
    return row and Kept(row[0], row[1], json.loads(row[2]), row[3])


def _again(key: str, kept: Kept, fingerprint: str) -> HttpResponse:
    if kept.fingerprint != fingerprint:
        raise KeyReused
    try:
        body, renewed = _box().open_and_renew(kept.body)
    except Unreadable:
        raise AnswerLost from None
    if renewed:
        # an earlier SECRET_KEY had closed it
        run_statement(RENEW, [renewed, key, kept.body])
    answer = HttpResponse(body.encode("latin-1"), status=kept.status, headers=kept.headers)
    answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _kept_as(key: str, fingerprint: str, answer: HttpResponse, people: tuple[int | None, int | None]) -> list[Any]:
    headers, body = json.dumps(dict(answer.items())), _box().close(answer.content.decode("latin-1"))
    return [key, fingerprint, answer.status_code, headers, body, *people]


@functools.cache
def _box() -> Box:
    return Box(str(settings.SECRET_KEY), PURPOSE, [*map(str, settings.SECRET_KEY_FALLBACKS)])
