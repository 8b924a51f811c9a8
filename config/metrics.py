"""Prometheus metrics: where this process keeps its numbers."""

from __future__ import annotations

import os
from pathlib import Path

import structlog
from prometheus_client import values

from apps.core.telemetry.slots import VARIABLE, Shared, share
from config.env import Settings

log = structlog.get_logger("metrics")


def configure_metrics(env: Settings) -> None:
    """Let the processes that name the same PROMETHEUS_MULTIPROC_DIR add up; without one, each counts for itself.

    Call it before any module that counts is imported: a metric decides where it keeps its values when it is made.
    """
    if env.metrics_port:
        os.environ.setdefault(VARIABLE, str(env.state_dir / f"metrics-{env.metrics_port}"))
    folder = os.environ.get(VARIABLE)
    if folder and not Shared.slots:
        try:
            share(Path(folder))
        except OSError as error:
            log.warning("metrics_of_one_process_only", folder=os.environ.pop(VARIABLE), error=str(error))
            values.ValueClass = values.MutexValue  # the variable made the library choose files when it was imported
