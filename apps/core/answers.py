"""Deletes what the answers kept for Idempotency-Keys say of a person; apps/core/api/idempotency.py writes them."""

from __future__ import annotations

from django.db import connection


def forget_subject(user_id: int) -> None:
    """Delete the kept answers that tell about the user or log them in."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM core_idempotentanswer WHERE subject_id = %s", [user_id])


def forget_person(user_id: int) -> None:
    """Delete those, and every kept answer that was given to the user, whatever it is about."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM core_idempotentanswer WHERE subject_id = %s OR caller_id = %s", [user_id, user_id])
