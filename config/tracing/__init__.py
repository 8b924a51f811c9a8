"""Traces by OpenTelemetry, if its own variables name somebody who takes them; docs/tracing.md tells which there are.

The code knows only `span` in apps/core/context.py. Here is what makes the spans (sdk.py), where they go (exporters.py),
and what is wrapped with one, so that the patterns' own files need none (parts.py). Nothing of OpenTelemetry is imported
until `start` finds that traces are wanted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from config.env import Settings

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
OTLP, VALKEY = "otlp", "valkey"
_tracer: Any = None


def wanted(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Where spans go, by the standard variables: "otlp" if it has an endpoint, "valkey" if it is named; if [], nowhere.

    Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
    """
    named = {name.strip().lower() for name in environment.get("OTEL_TRACES_EXPORTER", "").split(",")} - {""}
    if "none" in named or environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    found = [OTLP] if any(environment.get(name) for name in ENDPOINTS) and named <= {OTLP, VALKEY} else []
    return [*found, VALKEY] if VALKEY in named else found


def start(env: Settings) -> None:
    """Trace this process, if that is wanted; Django's apps must be ready."""
    global _tracer  # noqa: PLW0603 - one for the process
    if names := wanted():
        _tracer = import_module("config.tracing.parts").trace(env, names)


def ready() -> None:
    """Make what the first span needs now, so that no request waits for it; in a process that does not fork."""
    if _tracer:
        _tracer.ready()
