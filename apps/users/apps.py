from datetime import timedelta

from django.apps import AppConfig
from django.conf import settings


class UsersConfig(AppConfig):
    name = "apps.users"

    def ready(self) -> None:
        from apps.core.key_rotation import Kept, keep, sign_for
        from apps.users import receivers  # noqa: F401 - connects them
        from apps.users.models import SecondFactor
        from apps.users.totp import PURPOSE

        keep(Kept("second factors", PURPOSE, SecondFactor, "secret"))
        sign_for("access tokens", timedelta(minutes=settings.ACCESS_TOKEN_EXPIRE_MINUTES))
