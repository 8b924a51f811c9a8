"""The twelve patterns: what `manage.py patterns` prints, the README's table shows and the tests hold to."""

from __future__ import annotations

from typing import NamedTuple


class Pattern(NamedTuple):
    """A pattern, the Django idiom it is shown in, where it stands, and the test that shows what breaks without it.

    `take` lists the files to copy into another project, which need no others of this one: see tests/carry_away.
    """

    name: str
    idiom: str
    file: str
    test: str
    when_not: str
    take: tuple[str, ...]

    @property
    def slug(self) -> str:
        """The name as it stands in addresses and file names."""
        return slug_of(self.name)


PATTERNS = (
    Pattern(
        "repository",
        "domain verbs behind a Protocol, over the ORM",
        "apps/core/repository.py",
        "tests/patterns/test_repository.py",
        "rows that no rule guards: use the model's manager",
        (
            "apps/core/repository.py",
            "apps/core/errors.py",
        ),
    ),
    Pattern(
        "service layer",
        "use cases as bound methods, free of HTTP and SQL",
        "apps/users/services.py",
        "tests/patterns/test_service_layer.py",
        "CRUD without rules: a serializer's save() is enough",
        (
            "apps/core/bus.py",
            "apps/core/errors.py",
        ),
    ),
    Pattern(
        "dependency injection",
        "one composition root, called from AppConfig.ready()",
        "config/container.py",
        "tests/patterns/test_dependency_injection.py",
        "one implementation that no test replaces: import it",
        ("apps/core/parts.py",),
    ),
    Pattern(
        "event bus",
        "Django signals fed by a transactional outbox",
        "apps/events/bus.py",
        "tests/patterns/test_event_bus.py",
        "the effect belongs to the same transaction: call it",
        (
            "apps/events/bus.py",
            "apps/events/models.py",
            "apps/events/relay.py",
            "apps/events/deliveries.py",
            "apps/events/lines.py",
            "apps/core/queue/work_queue.py",
            "apps/core/bus.py",
            "apps/core/errors.py",
            "apps/core/context.py",
        ),
    ),
    Pattern(
        "circuit breaker",
        "pybreaker over state shared in Valkey",
        "apps/core/resilience/circuit_breaker.py",
        "tests/patterns/test_circuit_breaker.py",
        "calls inside one's own data centre with one caller",
        (
            "apps/core/resilience/circuit_breaker.py",
            "apps/core/resilience/breaker_state.py",
            "apps/core/resilience/valkey.py",
        ),
    ),
    Pattern(
        "CQRS",
        "commands through one pipeline, queries around it",
        "apps/core/bus.py",
        "tests/patterns/test_cqrs.py",
        "reads and writes of the same shape and rate",
        (
            "apps/core/bus.py",
            "apps/core/errors.py",
            "apps/core/reads.py",
        ),
    ),
    Pattern(
        "retry",
        "a policy object or decorator, outside the breaker",
        "apps/core/resilience/retry.py",
        "tests/patterns/test_retry.py",
        "calls that are not idempotent, or that a queue repeats",
        ("apps/core/resilience/retry.py",),
    ),
    Pattern(
        "settings",
        "one frozen dataclass through django-environ",
        "config/env.py",
        "tests/patterns/test_settings.py",
        "constants: what no deployment changes is code",
        (
            "config/reader.py",
            "config/kinds.py",
            "config/files.py",
        ),
    ),
    Pattern(
        "background tasks",
        "a job row in PostgreSQL, Celery as its worker",
        "apps/jobs/services.py",
        "tests/patterns/test_background_tasks.py",
        "work of a few milliseconds: do it in the request",
        (
            "apps/jobs/services.py",
            "apps/jobs/commands.py",
            "apps/jobs/events.py",
            "apps/jobs/models.py",
            "apps/jobs/repositories.py",
            "apps/jobs/run.py",
            "apps/core/refused_lines.py",
            "apps/events/bus.py",
            "apps/events/models.py",
            "apps/core/queue/work_queue.py",
            "apps/core/bus.py",
            "apps/core/errors.py",
            "apps/core/context.py",
        ),
    ),
    Pattern(
        "API versioning",
        "DRF versioning by namespace and by header",
        "apps/core/http/versioning.py",
        "tests/patterns/test_api_versioning.py",
        "one client that is deployed together with the API",
        ("apps/core/http/versioning.py",),
    ),
    Pattern(
        "middleware",
        "Django middleware; the rate limit is one Lua script",
        "apps/core/http/middleware/rate_limit.py",
        "tests/patterns/test_middleware.py",
        "what one view needs: put it into that view",
        (
            "apps/core/http/middleware/rate_limit.py",
            "apps/core/resilience/valkey.py",
            "apps/core/http/client.py",
        ),
    ),
    Pattern(
        "structured logging",
        "structlog, and one request id across processes",
        "config/logging.py",
        "tests/patterns/test_structured_logging.py",
        "a script that a person watches: print",
        (
            "config/logging.py",
            "config/redaction.py",
            "config/streams.py",
            "apps/core/context.py",
        ),
    ),
)


def slug_of(name: str) -> str:
    """A pattern's name as it stands in addresses and file names."""
    return name.lower().replace(" ", "-")


def pattern_named(name: str) -> Pattern | None:
    """The pattern with this name or slug, in any letter case; None if there is none."""
    return next((pattern for pattern in PATTERNS if pattern.slug == slug_of(name)), None)
