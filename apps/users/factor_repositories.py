"""Where second factors are kept: secrets encrypted, recovery codes as digests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from apps.users.models import RecoveryCode, SecondFactor, User

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class DjangoFactors:
    """Second factors in PostgreSQL; what changes one, or uses it, locks its user first."""

    def person(self, user_id: int) -> User | None:
        """The user, not locked, with what `User.has_second_factor` looks at."""
        return User.objects.select_related("second_factor").filter(id=user_id).first()

    def find(self, user_id: int) -> tuple[SecondFactor, datetime] | None:
        """The user's second factor, confirmed or not, and the time by the database's clock."""
        found: Any = SecondFactor.objects.filter(user_id=user_id).annotate(now=Now()).first()
        return found and (found, found.now)

    def draw(self, user_id: int, secret: str) -> None:
        """Keep a secret that is not confirmed yet, in place of one that was not either."""
        SecondFactor.objects.update_or_create(user_id=user_id, defaults={"secret": secret})

    def confirm(self, user_id: int, secret: str, step: int, digests: Iterable[str]) -> None:
        """Put a secret into force, whose code of `step` is used up, with the recovery codes of `digests`."""
        kept = {"secret": secret, "confirmed_at": Now(), "last_step": step}
        SecondFactor.objects.update_or_create(user_id=user_id, defaults=kept)
        RecoveryCode.objects.bulk_create(RecoveryCode(digest=digest, factor_id=user_id) for digest in digests)

    def use_step(self, user_id: int, step: int, secret: str) -> bool:
        """Use up the codes up to `step`, and keep `secret` as it is encrypted now; False if they were used before."""
        unused = SecondFactor.objects.filter(user_id=user_id, confirmed_at__isnull=False, last_step__lt=step)
        return unused.update(last_step=step, secret=secret, misses=0) > 0

    def use_recovery_code(self, user_id: int, digest: str) -> bool:
        """Use up a recovery code, and forget the wrong codes before it; False if there is none."""
        if not RecoveryCode.objects.filter(factor_id=user_id, digest=digest).delete()[0]:
            return False
        SecondFactor.objects.filter(user_id=user_id).update(misses=0)
        return True

    def count_miss(self, user_id: int) -> None:
        """Count a wrong code."""
        SecondFactor.objects.filter(user_id=user_id, confirmed_at__isnull=False).update(misses=F("misses") + 1)

    def delete(self, user_id: int, since: datetime = BEGINNING) -> bool:
        """Delete the second factor with its recovery codes; False if none came into force after `since`."""
        return SecondFactor.objects.filter(user_id=user_id, confirmed_at__gt=since).delete()[0] > 0
