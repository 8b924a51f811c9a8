"""The settings of this service, each declared once: name, type, default, a sentence for people, and the rule.

To add one, add a field to `Settings` and run `python -m config.example > .env.example`. config/load.py reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from config import hosts, otel, product, service_urls
from config.contradictions import DEVELOPMENT_KEY
from config.database_url import postgres
from config.kinds import (
    LONGEST_SECONDS,
    checked,
    choice,
    day,
    each,
    flag,
    folder,
    integer,
    mailbox,
    number,
    sender,
    text,
    texts,
    token,
    waits,
    word,
)
from config.reader import REQUIRED, depends, section

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
Profile = Literal["development", "test", "production"]
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ALGORITHMS = ("HS256", "HS384", "HS512")
KEY_LENGTH = 32
HERE = ("localhost", "127.0.0.1", "[::1]", "testserver")
WEBHOOK_SCHEDULE = (5, 300, 1800, 7200, 18000, 36000, 36000)
ORIGINS = "origins separated by commas, e.g. https://app.example.com,http://localhost:3000"


def by_profile(otherwise: T, **by_name: T) -> T:
    """In place of a default or a rule: what `by_name` has for the profile, `otherwise` if it has nothing for it."""
    return depends(lambda known: by_name.get(known["profile"], otherwise))


def started(form: str) -> str:
    """What the message asks for if an address is missing: `form`, and in development first `make run`."""
    run = "run `make run`, which starts one, with the same STATE_DIR as here ({}), or set {}"
    return by_profile(form, development=depends(lambda known: run.format(known["state_dir"], form)))


def _by_allowed_hosts(known: Any) -> str:
    """The service's address for people, if nothing else says it."""
    if known["profile"] != "production":
        return "http://localhost:8000"
    named = [host.removeprefix(".") for host in known["allowed_hosts"] if host != "*"]
    return f"https://{named[0] if named else 'localhost'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of the service; durations are in seconds unless the name says otherwise."""

    profile: Profile
    secret_key: str = section(
        "needed in production",
        text(
            by_profile(DEVELOPMENT_KEY, production=REQUIRED),
            "Signs tokens, cursors and cookies, and encrypts kept secrets: 32 characters or more, drawn at random",
            at_least=by_profile(1, production=KEY_LENGTH),
            expected=f"{KEY_LENGTH} characters or more, drawn at random, the same for every process",
        ),
    )
    secret_key_fallbacks: tuple[str, ...] = texts(
        "Earlier keys, separated by commas: what they signed or encrypted still counts. To replace a key, set the new "
        "one, put the old one here, restart, run `manage.py rotate_keys`, and empty this when it says so",
        at_least=by_profile(1, production=KEY_LENGTH),
        expected="earlier keys, separated by commas",
    )
    database_url: str = checked(
        by_profile(REQUIRED, test="postgres://app@127.0.0.1:5432/app"),
        "postgres://USER:PASSWORD@HOST:5432/NAME, or any other form that libpq knows: "
        "///NAME?host=/folder/of/the/socket, //HOST1:5432,HOST2:5432/NAME?target_session_attrs=read-write; for managed "
        "PostgreSQL add ?sslmode=verify-full&sslrootcert=/path/ca.pem",
        postgres,
        expected=started("postgres://USER:PASSWORD@HOST:5432/NAME"),
    )
    redis_url: str = checked(
        by_profile(REQUIRED, test="redis://127.0.0.1:6379/0"),
        "redis://[:PASSWORD@]HOST:6379/0, Valkey or Redis; unix:///run/valkey.sock?db=0; rediss:// for TLS with the "
        "certificate checked, and for a private authority ?ssl_cert_reqs=required&ssl_ca_certs=/path/ca.pem behind it",
        service_urls.redis,
        expected=started("redis://HOST:6379/0"),
    )
    allowed_hosts: tuple[str, ...] = each(
        by_profile(HERE, production=REQUIRED),
        "The host names that clients use, separated by commas, without scheme and port; .example.com is a domain "
        "with all below it",
        hosts.allowed_host,
        expected="names separated by commas, e.g. api.example.com",
    )
    email_url: str = checked(
        by_profile(depends(lambda known: f"filemail:///{quote(str(known['state_dir']))}/mail"), production=REQUIRED),
        "smtp+tls://USER:PASSWORD@HOST:587 (STARTTLS), smtp+ssl://… (TLS from the start) or smtp://… (neither); "
        "dummymail:// sends no mail at all. Production must choose; development writes mail to $STATE_DIR/mail",
        service_urls.mail,
        expected="smtp+tls://USER:PASSWORD@HOST:587, or dummymail:// for no mail at all",
    )

    api_title: str = section("the API", text(f"{product.NAME} API", "The name of the API in its documentation"))
    api_version: str = text("1.0.0", "The version of the API in its documentation")
    api_v1_sunset: date | None = day(
        "The day v1 ends, e.g. 2027-06-30; v1's answers say so by Deprecation, Sunset and Link; empty: not announced"
    )
    algorithm: str = choice("HS256", "How access tokens are signed", ALGORITHMS)
    access_token_expire_minutes: int = integer(30, "How long an access token is valid", at_most=525_600)
    refresh_token_expire_days: int = integer(14, "How long a refresh token is valid", at_most=3650)
    rate_limit_per_minute: int = integer(100, "Requests a minute of one user, or of one address without a token")
    login_rate_limit_per_minute: int = integer(10, "Failed logins a minute of one address, and of one e-mail")
    public_url: str = checked(
        depends(_by_allowed_hosts),
        "Where people's browsers find this service, for the links in mails, e.g. https://api.example.com; empty: "
        "https:// and the first of ALLOWED_HOSTS, in development the address of `make run`. The Host header of a "
        "request counts for nothing",
        service_urls.http,
    )
    email_verification: str = word(
        "optional",
        "Whether users are asked to confirm that their address is theirs (optional), cannot log in before they have "
        "(required), or are not asked (off)",
        ("off", "optional", "required"),
    )
    password_reset_url: str = checked(
        "",
        "The product's own page for a new password, with {token} where a link's token goes, e.g. "
        "https://app.example.com/password-reset?token={token}; empty: a plain page of this service",
        service_urls.with_token,
    )
    staff_otp_required: bool = flag("Staff need a second factor to log in, at the API and the admin, which sets one up")
    cors_allowed_origins: tuple[str, ...] = each(
        (),
        "Origins of web pages that may call the API from a browser, e.g. https://app.example.com; empty: none",
        hosts.origin,
        expected=ORIGINS,
    )
    csrf_trusted_origins: tuple[str, ...] = each(
        (),
        "Origins whose forms the admin accepts besides its own, if a proxy changes the Host header: "
        "https://admin.example.com",
        partial(hosts.origin, wildcard=True),
        expected=ORIGINS,
    )
    trusted_proxy_count: int = integer(
        0, "How many of the last addresses in X-Forwarded-For are our own proxies", at_least=0, at_most=100
    )
    body_limit: int = integer(
        65_536,
        "The longest body of a request, in bytes, on every route that does not say more for itself",
        at_least=1024,
        at_most=1_073_741_824,
    )

    web_workers: int = section("processes", integer(1, "Processes of the web server", at_most=1000))
    web_threads: int = integer(4, "Threads of each process of the web server", at_most=1000)
    db_pool_size: int = integer(5, "Database connections of each process", at_most=1000)
    database_timeout: float = number(
        15.0, "Seconds that one statement may take; then it is given up, and a request is answered 503"
    )
    db_transaction_pooling: bool = flag(
        "Set it if PgBouncer (or the like) stands before the database in transaction mode: session settings, prepared "
        "statements and server-side cursors are not used. The role then needs: ALTER ROLE app SET "
        "idle_in_transaction_session_timeout='60s'; ALTER ROLE app SET lock_timeout='10s'"
    )
    redis_ttl: int = integer(
        3600,
        "How long the cache keeps the people directory's answers as good as new; for a day more they stand in for it "
        "while it is away",
        at_most=LONGEST_SECONDS,
    )
    celery_broker_url: str = checked(
        depends(lambda known: known["redis_url"]),
        "redis://, rediss://, or RabbitMQ: amqp://USER:PASSWORD@HOST:5672/VHOST, amqps:// for TLS; empty: REDIS_URL",
        service_urls.broker,
    )
    celery_task_time_limit: int = integer(300, "A task that runs this long is killed", at_most=LONGEST_SECONDS)
    celery_task_soft_time_limit: int = integer(
        240, "A task that runs this long is told to end; below CELERY_TASK_TIME_LIMIT", at_most=LONGEST_SECONDS
    )
    state_dir: Path = folder(
        depends(lambda known: ROOT / ".local"),
        "Where `make run` keeps database files, logs and sent mail, closed to other accounts; empty: .local beside "
        "manage.py. A copy with another PORT needs another STATE_DIR, and manage.py in a second terminal the same one",
    )

    email_from: str = section(
        "other services", sender(mailbox(product.NAME, "no-reply@example.com"), "The sender of all mail")
    )
    external_api_url: str = checked(
        "",
        "The people directory that profiles are enriched from; empty: no enrichment, but `make run` starts one",
        service_urls.http,
    )
    external_api_key: str = token("The key that the people directory wants, sent as a bearer token")
    breaker_failure_threshold: int = integer(5, "Failures in a row that open a circuit breaker")
    breaker_call_timeout: float = number(5.0, "How long a call through a circuit breaker may take")
    breaker_recovery_timeout: float = number(
        30.0, "How long an open circuit breaker waits before it lets a probe through"
    )
    retry_max_attempts: int = integer(3, "How many times a call is tried", at_most=100)
    retry_base_delay: float = number(
        1.0,
        "The longest first wait; wait n is up to min(BASE_DELAY * EXPONENTIAL_BASE ** (n - 1), MAX_DELAY)",
    )
    retry_max_delay: float = number(60.0, "The longest wait between tries")
    retry_exponential_base: float = number(
        2.0, "How much longer each wait is than the one before", above=1.0, at_most=100
    )
    webhook_retry_schedule: tuple[int, ...] = waits(WEBHOOK_SCHEDULE, "The waits between the attempts of a webhook")
    webhook_allow_private_networks: bool = flag("Let webhooks go to private and loopback addresses; for development")

    log_level: str = section("running it", choice("INFO", "The least severe lines that are logged", LOG_LEVELS))
    sentry_dsn: str = checked(
        "", "Where errors are reported to; empty: no reports leave the service", service_urls.sentry
    )
    metrics_token: str = token("The bearer token that /metrics wants in production; empty: nobody may read it")
    metrics_host: str = checked(
        "127.0.0.1",
        "The address at which a worker or the relay shows its own numbers to Prometheus, without a token",
        hosts.host,
    )
    metrics_port: int = integer(
        0,
        "The port at METRICS_HOST, which only Prometheus may reach, another for each worker on one machine; 0: none. "
        "`make run` needs none: its /metrics has the numbers of all. With a port it also touches "
        "$STATE_DIR/heartbeat-PORT every two seconds: by its age a container's health check sees that it works",
        at_least=0,
        at_most=65_535,
    )
    slow_query_ms: int = integer(
        200,
        "A database statement that takes this many milliseconds is logged, without its values; 0: none is logged",
        at_least=0,
    )
    event_retention_days: int = integer(
        30, "Finished events, deliveries and jobs are deleted after this", at_most=36_500
    )
    undelivered_retention_days: int = integer(
        depends(lambda known: max(90, known["event_retention_days"])),
        "Events and deliveries that are dead, or still wait, are deleted after this; empty: 90, but at least "
        "EVENT_RETENTION_DAYS",
        at_most=36_500,
    )
    admin_log_retention_days: int = integer(
        365, "What was done in the admin, and by whom, is deleted after this", at_most=36_500
    )
    debug: bool = flag("Show settings and source on error pages; refused in production")

    otel_exporter_otlp_endpoint: str = section(
        "traces, by OpenTelemetry's own variables; docs/tracing.md names more of them", otel.endpoint()
    )
    otel_exporter_otlp_protocol: str = otel.protocol()
    otel_service_name: str = otel.service_name()
    otel_traces_sampler: str = otel.sampler()
    otel_traces_sampler_arg: str = otel.share()
    otel_traces_exporter: tuple[str, ...] = otel.exporters()
