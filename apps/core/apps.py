from datetime import timedelta

import django_stubs_ext
from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import import_string

# models and admins subscript admin.ModelAdmin[User] and the like, which Django alone does not support
django_stubs_ext.monkeypatch()


class CoreConfig(AppConfig):
    name = "apps.core"

    def ready(self) -> None:
        from apps.core import holdings  # noqa: F401 - says what is kept about people

        # connects what a worker tells to Celery's signals
        from apps.core.api.idempotency import PURPOSE
        from apps.core.key_rotation import Kept, keep, sign_for
        from apps.core.models import IdempotentAnswer
        from apps.core.telemetry import sources as metrics_sources  # noqa: F401
        from apps.core.telemetry import worker  # noqa: F401

        keep(Kept("idempotent answers", PURPOSE, IdempotentAnswer, "body"))
        sign_for("cursors", None)
        sign_for("log-ins to the admin", lambda: timedelta(seconds=settings.SESSION_COOKIE_AGE))
        # registers what routes of every app may use
        from apps.core.api import converters  # noqa: F401

        import_string(settings.COMPOSITION_ROOT)()
