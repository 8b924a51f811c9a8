from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import import_string


class CoreConfig(AppConfig):
    name = "apps.core"

    def ready(self) -> None:
        import_string(settings.COMPOSITION_ROOT)()
