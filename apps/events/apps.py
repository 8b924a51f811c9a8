from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "apps.events"

    def ready(self) -> None:
        from apps.core.metrics_state import DATABASE, STATE
        from apps.core.work_queue import Wake, peek, watch
        from apps.events import metrics
        from apps.events.deliveries import DIRECT, WAITING

        STATE.add(DATABASE, "outbox", metrics.backlog)
        watch(Wake("deliveries", "events.deliver", "events", peek("events_delivery", DIRECT)))
        watch(Wake("waiting_deliveries", "events.deliver_waiting", "io", peek("events_delivery", WAITING)))
