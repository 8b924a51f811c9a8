"""What Idempotency-Keys keep of a person, and how it goes; written by apps/core/api/idempotency.py."""

from __future__ import annotations

from django.db import connection


def forget_subject(user_id: int) -> None:
    """Delete the kept answers that tell about the user or log them in."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM core_idempotentanswer WHERE subject_id = %s", [user_id])


def forget_person(user_id: int) -> None:
    """Delete those, and what was answered to the user, whatever it was about."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM core_idempotentanswer WHERE subject_id = %s OR caller_id = %s", [user_id, user_id])
