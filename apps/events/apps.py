from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "apps.events"

    def ready(self) -> None:
        from apps.core.telemetry.state import DATABASE, STATE
        from apps.events import (
            metrics,
            personal,  # noqa: F401 - says what is kept about people
        )

        STATE.add(DATABASE, "outbox", metrics.backlog)
