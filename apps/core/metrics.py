"""Prometheus metrics that every app shares."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

COMMANDS = Histogram("command_seconds", "Commands run by the bus", ["command", "outcome"])
RATE_LIMITED = Counter("rate_limit_refusals_total", "Requests refused by the rate limit", ["scope"])
RATE_LIMIT_OPEN = Counter("rate_limit_unavailable_total", "Requests let through because Valkey did not answer")
BREAKER_CHANGES = Counter("breaker_state_changes_total", "Circuit breaker transitions", ["breaker", "state"])
RETRIES = Counter("retries_total", "Calls repeated after a transient error", ["call"])
DELIVERIES = Counter("event_deliveries_total", "Attempts to deliver an event", ["receiver", "outcome"])
WAKE_UPS = Counter("relay_wake_ups_total", "Wake-up messages sent to the broker", ["queue", "outcome"])
WEBHOOKS = Histogram("webhook_seconds", "Attempts to deliver a webhook", ["outcome"])
