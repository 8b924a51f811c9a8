from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "apps.webhooks"

    def ready(self) -> None:
        from apps.core.metrics_state import DATABASE, STATE
        from apps.core.work_queue import Wake, peek, watch
        from apps.webhooks import (
            metrics,
            receivers,  # noqa: F401 - connects them
        )
        from apps.webhooks.store import DUE

        STATE.add(DATABASE, "webhooks", metrics.waiting)
        watch(Wake("webhooks", "webhooks.send", "webhooks", peek("webhooks_webhookdelivery", DUE)))
