from django.apps import AppConfig


class ProfilesConfig(AppConfig):
    name = "apps.profiles"

    def ready(self) -> None:
        from apps.profiles import (
            personal,  # noqa: F401 - says what is kept about people
            receivers,  # noqa: F401 - connects them
        )
