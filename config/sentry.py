"""Error reports to Sentry, if SENTRY_DSN is set: what went wrong, never whose data it was.

Source: https://docs.sentry.io/platforms/python/data-management/sensitive-data/.
"""

from __future__ import annotations

from typing import Any

from apps.core.context import current_route, request_id
from config.env import Settings
from config.redaction import redacted

# of a request, only what tells where it failed; not its body, headers, cookies, query or environment
KEPT_OF_REQUEST = ("url", "method")


def report_errors(env: Settings) -> None:
    """Send unhandled errors of this process, and what is logged as one, to `env.sentry_dsn`, if there is one."""
    if not env.sentry_dsn:
        return
    import sentry_sdk  # noqa: PLC0415 - it takes a tenth of the start of every process that reports nothing

    sentry_sdk.init(
        env.sentry_dsn,
        release=env.api_version,
        environment=env.profile,
        send_default_pii=False,
        # locals of a traceback are passwords, tokens and people
        include_local_variables=False,
        max_request_body_size="never",
        before_send=without_people,
        before_breadcrumb=without_data,
    )


def without_people(event: Any, _: dict[str, Any]) -> Any:
    """The report with the request's id and route, without its content and without who sent it."""
    request = event.pop("request", {})
    event.pop("user", None)
    event = redacted(event)
    event["request"] = {name: redacted(request[name]) for name in KEPT_OF_REQUEST if name in request}
    event.setdefault("tags", {}).update(request_id=request_id(), route=current_route())
    return event


def without_data(crumb: Any, _: dict[str, Any]) -> Any:
    """A note of what happened before, without its values: queries of URLs, keys of the cache."""
    return redacted({name: value for name, value in crumb.items() if name != "data"})
