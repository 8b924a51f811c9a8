from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "apps.webhooks"

    def ready(self) -> None:
        from apps.core.key_rotation import Kept, keep
        from apps.core.telemetry.state import DATABASE, STATE
        from apps.webhooks import (
            metrics,
            personal,  # noqa: F401 - says what is kept about people
            receivers,  # noqa: F401 - connects them
        )
        from apps.webhooks.models import Endpoint
        from apps.webhooks.secrets import PURPOSE

        keep(Kept("webhook secrets", PURPOSE, Endpoint, "secret"))
        keep(Kept("previous webhook secrets", PURPOSE, Endpoint, "previous_secret", until="previous_secret_until"))
        STATE.add(DATABASE, "webhooks", metrics.waiting)
