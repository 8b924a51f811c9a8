from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "apps.events"

    def ready(self) -> None:
        from apps.core.queue.work_queue import Wake, peek, watch
        from apps.core.telemetry.state import DATABASE, STATE
        from apps.events import metrics
        from apps.events.deliveries import DIRECT, WAITING

        STATE.add(DATABASE, "outbox", metrics.backlog)
        watch(Wake("deliveries", "events.deliver", "events", peek("events_delivery", DIRECT)))
        watch(Wake("waiting_deliveries", "events.deliver_waiting", "io", peek("events_delivery", WAITING)))
