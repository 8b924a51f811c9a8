from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "apps.webhooks"

    def ready(self) -> None:
        from apps.core.work_queue import Wake, peek, watch
        from apps.webhooks import receivers  # noqa: F401 - connects them
        from apps.webhooks.store import DUE

        watch(Wake("webhooks", "webhooks.send", "webhooks", peek("webhooks_webhookdelivery", DUE)))
