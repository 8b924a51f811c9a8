from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "apps.jobs"

    def ready(self) -> None:
        from apps.core.telemetry.state import DATABASE, STATE
        from apps.jobs import (
            metrics,
            personal,  # noqa: F401 - says what is kept about people
            stopping,  # noqa: F401 - connects to Celery's signals
        )

        STATE.add(DATABASE, "jobs", metrics.unfinished)
