"""Webhooks on the admin's overview."""

from __future__ import annotations

from apps.core.backoffice.display import shortened
from apps.core.backoffice.links import Link, list_of, page_of
from apps.core.backoffice.overview import Content, Figure, Table, activity, capped, panel, said
from apps.core.queue.work_queue import DeliveryState
from apps.webhooks.models import Endpoint, WebhookDelivery

LISTED = 8
TONES = {DeliveryState.FAILED: "warn", DeliveryState.DEAD: "bad"}


@panel("Webhooks", route="admin:webhooks_webhookdelivery_changelist", place=30)
def webhooks() -> Content:
    """Deliveries that are not delivered by state, endpoints that fail or are off, and the newest dead letters."""
    figures = []
    for state in (DeliveryState.PENDING, DeliveryState.FAILED, DeliveryState.DEAD):
        count = capped(WebhookDelivery.objects.filter(state=state))
        tone = TONES.get(state, "") if count else ""
        address = list_of("webhooks.webhookdelivery", state__exact=state.value)
        figures.append(Figure(state.value, said(count), address, tone))
    failing, off = Endpoint.objects.filter(failures__gt=0), Endpoint.objects.filter(is_active=False)
    for label, rows, filters in (("failing", failing, {}), ("off", off, {"is_active__exact": 0})):
        count = capped(rows)
        address = list_of("webhooks.endpoint", **filters)
        figures.append(Figure(f"webhooks {label}", said(count), address, "warn" if count else ""))
    bars = activity("Deliveries settled", WebhookDelivery._meta.db_table, "settled_at", "minute", 60)
    dead = (
        WebhookDelivery.objects.filter(state=DeliveryState.DEAD)
        .order_by("-id")
        .only("event_type", "message_id", "last_error")[:LISTED]
    )
    letters: list[list[Link | str]] = [
        [Link(str(one), page_of("webhooks.webhookdelivery", one.pk)), shortened(one.last_error)] for one in dead
    ]
    return Content(figures, bars, Table(("dead letter", "reason"), letters), empty="No dead letters.")
