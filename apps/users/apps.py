from datetime import timedelta

from django.apps import AppConfig
from django.conf import settings


class UsersConfig(AppConfig):
    name = "apps.users"

    def ready(self) -> None:
        from apps.core.key_rotation import Kept, keep, sign_for
        from apps.core.telemetry.state import DATABASE, STATE
        from apps.users import (
            metrics,
            personal,  # noqa: F401 - says what is kept about people
            receivers,  # noqa: F401 - connects them
        )
        from apps.users.leaving_repositories import PURPOSE
        from apps.users.links import LIFETIMES
        from apps.users.models import Erasure, SecondFactor
        from apps.users.totp import PURPOSE as SECOND_FACTORS

        STATE.add(DATABASE, "erasures", metrics.erasing)
        keep(Kept("second factors", SECOND_FACTORS, SecondFactor, "secret"))
        keep(Kept("people who are being erased", PURPOSE, Erasure, "person"))
        sign_for("links in mails", lambda: max(LIFETIMES.values()))
        sign_for("access tokens", lambda: timedelta(minutes=settings.ACCESS_TOKEN_EXPIRE_MINUTES))
