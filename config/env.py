"""Typed settings: every variable read once, every problem named in one message.

Sources, the first that has a variable wins: the environment, `.env` beside manage.py and, in development,
`$STATE_DIR/env`, where `make run` writes the addresses of the database and the cache it started. Values are taken as
they are: nothing in them refers to another variable.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import environ

from config import service_urls
from config.database_url import postgres
from config.files import read_env_file
from config.reader import LONGEST_SECONDS, Reader

ROOT = Path(__file__).resolve().parent.parent
Profile = Literal["development", "test", "production"]
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ALGORITHMS = ("HS256", "HS384", "HS512")
KEY_LENGTH = 32
DEVELOPMENT_KEY = "development-only-key-never-used-in-production"
WEBHOOK_SCHEDULE = (5, 300, 1800, 7200, 18000, 36000, 36000)


class SettingsError(Exception):
    """One or more settings are missing or malformed; `problems` has a line for each, without any value."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"The settings are not usable:\n{lines}\n.env.example explains every variable.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of the service; durations are in seconds unless the name says otherwise."""

    profile: Profile
    state_dir: Path
    api_title: str
    api_version: str
    api_v1_sunset: date | None
    secret_key: str
    secret_key_fallbacks: tuple[str, ...]
    algorithm: str
    access_token_expire_minutes: int
    refresh_token_expire_days: int
    database_url: str
    db_pool_size: int
    db_transaction_pooling: bool
    redis_url: str
    redis_ttl: int
    celery_broker_url: str
    celery_task_time_limit: int
    celery_task_soft_time_limit: int
    external_api_url: str
    external_api_key: str
    email_url: str
    email_from: str
    log_level: str
    sentry_dsn: str
    metrics_token: str
    metrics_host: str
    metrics_port: int
    slow_query_ms: int
    allowed_hosts: tuple[str, ...]
    cors_allowed_origins: tuple[str, ...]
    csrf_trusted_origins: tuple[str, ...]
    debug: bool
    rate_limit_per_minute: int
    login_rate_limit_per_minute: int
    trusted_proxy_count: int
    body_limit: int
    web_workers: int
    web_threads: int
    breaker_failure_threshold: int
    breaker_call_timeout: float
    breaker_recovery_timeout: float
    retry_max_attempts: int
    retry_base_delay: float
    retry_max_delay: float
    retry_exponential_base: float
    webhook_retry_schedule: tuple[int, ...]
    webhook_allow_private_networks: bool
    event_retention_days: int
    undelivered_retention_days: int
    admin_log_retention_days: int


def load(profile: Profile) -> Settings:
    """Read, check and return the settings for `profile`.

    Raises `SettingsError` naming every missing or malformed variable; no value is repeated in it.
    """
    files = [] if profile == "test" else [read_env_file(ROOT / ".env")]
    reader = Reader(environ.Env())
    state_dir = Path(reader.text("STATE_DIR", "") or ROOT / ".local").absolute()
    for name in ("DATABASE_URL", "REDIS_URL"):
        if not os.environ.get(name):
            # a copy of .env.example leaves it empty, which is not to hide what `make run` has written down
            os.environ.pop(name, None)
    if profile == "development":
        files.append(read_env_file(state_dir / "env"))
    settings = _read_all(reader, profile, state_dir)
    # what stands on a line that cannot be read is not missing as well
    unread = {name for file in files for name in file.unread} - os.environ.keys()
    problems = [problem for file in files for problem in file.problems]
    problems += [p for p in reader.problems + _contradictions(settings) if p.partition(" ")[0] not in unread]
    if problems:
        raise SettingsError(problems)
    return settings


def load_or_exit(profile: Profile) -> Settings:
    """Like `load`; ends the process with the message on stderr and status 1 where the settings are not usable."""
    try:
        return load(profile)
    except SettingsError as error:
        sys.exit(str(error))


def _read_all(read: Reader, profile: Profile, state_dir: Path) -> Settings:
    production = profile == "production"
    found = f"run `make run`, which starts one, with the same STATE_DIR as here ({state_dir}), or set "
    start = found if profile == "development" else ""
    test_database = "postgres://app@127.0.0.1:5432/app" if profile == "test" else None
    test_cache = "redis://127.0.0.1:6379/0" if profile == "test" else None
    redis_url = read.url("REDIS_URL", test_cache, service_urls.redis, f"{start}redis://HOST:6379/0")
    database_url = read.url("DATABASE_URL", test_database, postgres, f"{start}postgres://USER:PASSWORD@HOST:5432/NAME")
    mail_files = f"filemail:///{quote(str(state_dir))}/mail"
    event_days = read.integer("EVENT_RETENTION_DAYS", 30, at_most=36_500)
    return Settings(
        profile=profile,
        state_dir=state_dir,
        api_title=read.text("API_TITLE", "Patterns API"),
        api_version=read.text("API_VERSION", "1.0.0"),
        api_v1_sunset=read.day("API_V1_SUNSET"),
        secret_key=read.text(
            "SECRET_KEY",
            None if production else DEVELOPMENT_KEY,
            at_least=KEY_LENGTH if production else 1,
            expected=f"{KEY_LENGTH} characters or more, drawn at random, the same for every process",
        ),
        secret_key_fallbacks=read.texts(
            "SECRET_KEY_FALLBACKS",
            at_least=KEY_LENGTH if production else 1,
            expected="earlier keys, separated by commas",
        ),
        algorithm=read.choice("ALGORITHM", "HS256", ALGORITHMS),
        access_token_expire_minutes=read.integer("ACCESS_TOKEN_EXPIRE_MINUTES", 30, at_most=525_600),
        refresh_token_expire_days=read.integer("REFRESH_TOKEN_EXPIRE_DAYS", 14, at_most=3650),
        database_url=database_url,
        db_pool_size=read.integer("DB_POOL_SIZE", 5, at_most=1000),
        db_transaction_pooling=read.flag("DB_TRANSACTION_POOLING"),
        redis_url=redis_url,
        redis_ttl=read.integer("REDIS_TTL", 3600, at_most=LONGEST_SECONDS),
        celery_broker_url=read.url("CELERY_BROKER_URL", redis_url, service_urls.broker),
        celery_task_time_limit=read.integer("CELERY_TASK_TIME_LIMIT", 300, at_most=LONGEST_SECONDS),
        celery_task_soft_time_limit=read.integer("CELERY_TASK_SOFT_TIME_LIMIT", 240, at_most=LONGEST_SECONDS),
        external_api_url=read.url("EXTERNAL_API_URL", "", service_urls.http),
        external_api_key=read.token("EXTERNAL_API_KEY"),
        email_url=read.url(
            "EMAIL_URL",
            None if production else mail_files,
            service_urls.mail,
            "smtp+tls://USER:PASSWORD@HOST:587, or dummymail:// for no mail at all",
        ),
        email_from=read.sender("EMAIL_FROM", "Patterns <no-reply@example.com>"),
        log_level=read.choice("LOG_LEVEL", "INFO", LOG_LEVELS),
        sentry_dsn=read.url("SENTRY_DSN", "", service_urls.sentry),
        metrics_token=read.token("METRICS_TOKEN"),
        metrics_host=read.host("METRICS_HOST", "127.0.0.1"),
        metrics_port=read.integer("METRICS_PORT", 0, at_least=0, at_most=65_535),
        slow_query_ms=read.integer("SLOW_QUERY_MS", 200, at_least=0),
        allowed_hosts=read.allowed_hosts(
            "ALLOWED_HOSTS", None if production else ("localhost", "127.0.0.1", "[::1]", "testserver")
        ),
        cors_allowed_origins=read.origins("CORS_ALLOWED_ORIGINS"),
        csrf_trusted_origins=read.origins("CSRF_TRUSTED_ORIGINS", wildcard=True),
        debug=read.flag("DEBUG"),
        rate_limit_per_minute=read.integer("RATE_LIMIT_PER_MINUTE", 100),
        login_rate_limit_per_minute=read.integer("LOGIN_RATE_LIMIT_PER_MINUTE", 10),
        trusted_proxy_count=read.integer("TRUSTED_PROXY_COUNT", 0, at_least=0, at_most=100),
        body_limit=read.integer("BODY_LIMIT", 65_536, at_least=1024, at_most=1_073_741_824),
        web_workers=read.integer("WEB_WORKERS", 1, at_most=1000),
        web_threads=read.integer("WEB_THREADS", 4, at_most=1000),
        breaker_failure_threshold=read.integer("BREAKER_FAILURE_THRESHOLD", 5),
        breaker_call_timeout=read.number("BREAKER_CALL_TIMEOUT", 5.0),
        breaker_recovery_timeout=read.number("BREAKER_RECOVERY_TIMEOUT", 30.0),
        retry_max_attempts=read.integer("RETRY_MAX_ATTEMPTS", 3, at_most=100),
        retry_base_delay=read.number("RETRY_BASE_DELAY", 1.0),
        retry_max_delay=read.number("RETRY_MAX_DELAY", 60.0),
        retry_exponential_base=read.number("RETRY_EXPONENTIAL_BASE", 2.0, above=1.0, at_most=100),
        webhook_retry_schedule=read.integers("WEBHOOK_RETRY_SCHEDULE", WEBHOOK_SCHEDULE),
        webhook_allow_private_networks=read.flag("WEBHOOK_ALLOW_PRIVATE_NETWORKS"),
        event_retention_days=event_days,
        undelivered_retention_days=read.integer("UNDELIVERED_RETENTION_DAYS", max(90, event_days), at_most=36_500),
        admin_log_retention_days=read.integer("ADMIN_LOG_RETENTION_DAYS", 365, at_most=36_500),
    )


def _contradictions(settings: Settings) -> list[str]:
    """What each variable alone cannot show: pairs that make no sense together."""
    problems = []
    if settings.profile == "production" and settings.debug:
        problems.append("DEBUG must be false in production: error pages would show settings and source")
    if settings.profile == "production" and settings.secret_key == DEVELOPMENT_KEY:
        problems.append("SECRET_KEY is the development key: draw one of your own")
    if settings.profile == "production" and DEVELOPMENT_KEY in settings.secret_key_fallbacks:
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
