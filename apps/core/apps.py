from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import import_string


class CoreConfig(AppConfig):
    name = "apps.core"

    def ready(self) -> None:
        # connects what a worker tells to Celery's signals
        from apps.core.telemetry import sources as metrics_sources  # noqa: F401
        from apps.core.telemetry import worker  # noqa: F401

        import_string(settings.COMPOSITION_ROOT)()
