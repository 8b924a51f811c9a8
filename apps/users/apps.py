from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "apps.users"

    def ready(self) -> None:
        from apps.core.key_rotation import Kept, keep
        from apps.users import receivers  # noqa: F401 - connects them
        from apps.users.models import SecondFactor
        from apps.users.totp import PURPOSE

        keep(Kept("second factors", PURPOSE, SecondFactor, "secret"))
