"""People who are being erased, in PostgreSQL: who they were is encrypted, and forgotten with the last pass."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

from django.db import connection
from django.db.models.functions import Lower, Now

from apps.core.crypto import Box
from apps.core.personal import Person
from apps.core.queue.work_queue import LeaseLost, claim, in_seconds, settle
from apps.events.personal import emails_told
from apps.users.models import EmailChange, Erasure, User

PURPOSE = "people who are being erased"
LEASE_SECONDS = 60


class Erasures:
    """What is left to erase, as a worker takes and settles it; the methods that report or settle raise LeaseLost."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def begin(self, user: User) -> Person:
        """Have `user` erased once the transaction is kept; returns whom they were."""
        person = Person(
            user_id=user.id,
            email=user.email,
            name=user.name,
            is_staff=user.is_staff,
            verified=user.email_verified_at is not None,
            others=_earlier_emails(user),
            gone_at=_now(),
        )
        Erasure.objects.create(user_id=user.id, person=self._box.close(json.dumps(asdict(person))))
        return person

    def claim(self) -> Erasure | None:
        """Claim what is due; None if nothing is."""
        ids = claim("users_erasure", limit=1, lease=LEASE_SECONDS)
        return Erasure.objects.filter(id=ids[0]).first() if ids else None

    def who(self, row: Erasure) -> Person:
        """Whom it is about. Raises Unreadable if the key that encrypted it is gone."""
        known = json.loads(self._box.open(row.person))
        return Person(**known | {"others": tuple(known["others"])})

    def report(self, row: Erasure, holding: str, after: str) -> None:
        """Keep where the pass stands, and prolong the lease."""
        held = Erasure.objects.filter(id=row.id, token=row.token)
        where = {"holding": holding, "after": after, "last_error": row.last_error}
        if held.update(due_at=in_seconds(LEASE_SECONDS), **where) != 1:
            raise LeaseLost("another worker goes on with it")

    def again(self, row: Erasure, seconds: float, **changes: object) -> None:
        """Have another pass begin in `seconds`."""
        start = {"holding": "", "after": ""}
        settle(Erasure.objects.filter(id=row.id), row.token, due_at=in_seconds(seconds), **start, **changes)

    def go_on(self, row: Erasure) -> None:
        """Have the pass go on from where it stands, at once; this attempt does not count."""
        settle(Erasure.objects.filter(id=row.id), row.token, due_at=Now(), attempts=0)

    def finish(self, row: Erasure) -> None:
        """Forget who it was."""
        Erasure.objects.filter(id=row.id, token=row.token).delete()


def _earlier_emails(user: User) -> tuple[str, ...]:
    """The e-mails that the user had before, as far as anything still tells, without those that others have now.

    What they only asked to have may be anybody's, so it is none of theirs.
    """
    changes = EmailChange.objects.filter(user_id=user.id, confirmed_at__isnull=False)
    told = emails_told(user.id).union(*changes.values_list("old_email", "new_email"))
    found = {email.lower() for email in told} - {user.email.lower()}
    taken = User.objects.annotate(lowered=Lower("email")).filter(lowered__in=found).values_list("lowered", flat=True)
    return tuple(sorted(found.difference(taken)))


def _now() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now.isoformat()
