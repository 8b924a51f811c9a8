"""OpenTelemetry's own variables, as far as a wrong value would only show as traces that never come.

The SDK reads them itself, with those that are not named here. Source:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

from __future__ import annotations

from functools import partial

from config import service_urls
from config.kinds import checked, each, text
from config.product import SLUG
from config.reader import Refused

SAMPLERS = (
    *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
    *("always_on", "always_off", "traceidratio"),
)


def endpoint() -> str:
    """Where spans go."""
    about = "Where traces go: a collector's OTLP over HTTP, e.g. http://localhost:4318; empty: nowhere"
    return checked("", about, service_urls.http)


def protocol() -> str:
    """How spans are sent."""
    about = "The one protocol by which they are sent; port 4318, not gRPC's 4317"
    return checked("http/protobuf", about, partial(_one_of, ("http/protobuf",)))


def service_name() -> str:
    """Who sends them."""
    return text(SLUG, "The name of the service in its traces")


def sampler() -> str:
    """Which traces are recorded."""
    about = f"Which traces are recorded; parentbased: if the caller has not decided: {', '.join(SAMPLERS)}"
    return checked("parentbased_always_on", about, partial(_one_of, SAMPLERS))


def share() -> str:
    """How many of the traces a sampler by ratio records."""
    return checked("1", "The share of traces that a sampler by ratio records, e.g. 0.1", _share)


def exporters() -> tuple[str, ...]:
    """To whom spans go."""
    about = (
        "otlp, valkey (the newest, for an hour, where the service's own pages read them; `make run` asks for it) or "
        "both, separated by commas; none; empty: otlp if it has an endpoint"
    )
    check = partial(_one_of, ("otlp", "valkey", "none"))
    return each((), about, check, expected="otlp, valkey, both separated by commas, or none")


def _share(raw: str) -> str:
    try:
        if 0 <= float(raw) <= 1:
            return raw
    except ValueError:
        pass
    raise Refused("a share from 0 to 1, e.g. 0.1")


def _one_of(names: tuple[str, ...], raw: str) -> str:
    name = raw.strip().lower()
    if name not in names:
        raise Refused(f"one of {', '.join(names)}")
    return name
