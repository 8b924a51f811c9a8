from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import import_string


class CoreConfig(AppConfig):
    name = "apps.core"

    def ready(self) -> None:
        # connects what a worker tells to Celery's signals
        from apps.core import metrics_sources, worker  # noqa: F401
        from apps.core.api.idempotency import PURPOSE
        from apps.core.key_rotation import Kept, keep
        from apps.core.models import IdempotentAnswer

        keep(Kept("idempotent answers", PURPOSE, IdempotentAnswer, "body"))
        # registers what routes of every app may use
        from apps.core.api import converters  # noqa: F401

        # registers what routes of every app may use

        import_string(settings.COMPOSITION_ROOT)()
