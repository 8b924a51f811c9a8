from django.apps import AppConfig


class ThingsConfig(AppConfig):
    name = "tests.things"

    def ready(self) -> None:
        from apps.core.key_rotation import Kept, keep
        from tests.things.models import Thing
        from tests.things.services import SECRETS

        keep(Kept("secrets of things", SECRETS, Thing, "secret"))
