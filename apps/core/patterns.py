"""The twelve patterns: what `manage.py patterns` prints, the README's table shows and the tests hold to."""

from __future__ import annotations

from typing import NamedTuple


class Pattern(NamedTuple):
    """A pattern, the Django idiom it is shown in, where it stands, and the test that shows what breaks without it."""

    name: str
    idiom: str
    file: str
    test: str
    when_not: str


PATTERNS = (
    Pattern(
        "repository",
        "domain verbs behind a Protocol, over the ORM",
        "apps/core/repository.py",
        "tests/patterns/test_repository.py",
        "rows that no rule guards: use the model's manager",
    ),
    Pattern(
        "service layer",
        "use cases as bound methods, free of HTTP and SQL",
        "apps/users/services.py",
        "tests/patterns/test_service_layer.py",
        "CRUD without rules: a serializer's save() is enough",
    ),
    Pattern(
        "dependency injection",
        "one composition root, called from AppConfig.ready()",
        "config/container.py",
        "tests/patterns/test_dependency_injection.py",
        "one implementation that no test replaces: import it",
    ),
    Pattern(
        "event bus",
        "Django signals fed by a transactional outbox",
        "apps/events/bus.py",
        "tests/patterns/test_event_bus.py",
        "the effect belongs to the same transaction: call it",
    ),
    Pattern(
        "circuit breaker",
        "pybreaker over state shared in Valkey",
        "apps/core/resilience/circuit_breaker.py",
        "tests/patterns/test_circuit_breaker.py",
        "calls inside one's own data centre with one caller",
    ),
    Pattern(
        "CQRS",
        "commands through one pipeline, queries around it",
        "apps/core/bus.py",
        "tests/patterns/test_cqrs.py",
        "reads and writes of the same shape and rate",
    ),
    Pattern(
        "retry",
        "a policy object or decorator, outside the breaker",
        "apps/core/resilience/retry.py",
        "tests/patterns/test_retry.py",
        "calls that are not idempotent, or that a queue repeats",
    ),
    Pattern(
        "settings",
        "one frozen dataclass through django-environ",
        "config/env.py",
        "tests/patterns/test_settings.py",
        "constants: what no deployment changes is code",
    ),
    Pattern(
        "background tasks",
        "a job row in PostgreSQL, Celery as its worker",
        "apps/jobs/services.py",
        "tests/patterns/test_background_tasks.py",
        "work of a few milliseconds: do it in the request",
    ),
    Pattern(
        "API versioning",
        "DRF versioning by namespace and by header",
        "apps/core/http/versioning.py",
        "tests/patterns/test_api_versioning.py",
        "one client that is deployed together with the API",
    ),
    Pattern(
        "middleware",
        "Django middleware; the rate limit is one Lua script",
        "apps/core/http/middleware/rate_limit.py",
        "tests/patterns/test_middleware.py",
        "what one view needs: put it into that view",
    ),
    Pattern(
        "structured logging",
        "structlog, and one request id across processes",
        "config/logging.py",
        "tests/patterns/test_structured_logging.py",
        "a script that a person watches: print",
    ),
)
