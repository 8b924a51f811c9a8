"""Settings that are good one by one, and together make no sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.env import Settings

DEVELOPMENT_KEY = "development-only-key-never-used-in-production"


def contradictions(settings: Settings) -> list[str]:
    """The problems that no variable shows alone: combinations that make no sense."""
    production = settings.profile == "production"
    problems = []
    if production and settings.debug:
        problems.append("DEBUG must be false in production: error pages would show settings and source")
    if production and settings.secret_key == DEVELOPMENT_KEY:
        problems.append("SECRET_KEY is the development key: draw one of your own")
    if production and DEVELOPMENT_KEY in settings.secret_key_fallbacks:
        problems.append("SECRET_KEY_FALLBACKS has the development key in it, which everybody knows: take it out")
    if settings.celery_task_soft_time_limit >= settings.celery_task_time_limit:
        problems.append("CELERY_TASK_SOFT_TIME_LIMIT must be below CELERY_TASK_TIME_LIMIT: the soft limit comes first")
    if settings.retry_base_delay > settings.retry_max_delay:
        problems.append("RETRY_BASE_DELAY must not be above RETRY_MAX_DELAY: the first wait would pass the longest")
    if settings.undelivered_retention_days < settings.event_retention_days:
        problems.append(
            "UNDELIVERED_RETENTION_DAYS must not be below EVENT_RETENTION_DAYS: what was delivered would stay longer"
        )
    if settings.external_api_url and not settings.external_api_key:
        problems.append("EXTERNAL_API_KEY is missing: EXTERNAL_API_URL is set and wants a key")
    return problems
