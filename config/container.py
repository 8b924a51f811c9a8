"""Dependency injection: the composition root, the one place that knows every concrete class.

Web, worker, commands and tests all start here: Django calls `compose` once its apps are ready. A part gets what it
needs through its constructor; whoever wants something done sends a message over the bus. A test that wants another part
composes a container of its own: `Container(settings, users=FakeUsers())`.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from django.conf import settings

from apps.core.bus import Bus, bus
from apps.core.crypto import Box
from apps.core.parts import Parts
from apps.core.resilience.breaker_state import ValkeyState
from apps.core.resilience.breakers import Breakers
from apps.core.resilience.circuit_breaker import SharedCircuitBreaker
from apps.core.resilience.deadline import deadline
from apps.core.resilience.retry import Retry
from apps.core.resilience.valkey import Valkey, valkey_at
from apps.events.deliveries import LONGEST_WAIT_SECONDS
from apps.users.factor_repositories import DjangoFactors
from apps.users.links import Links, Purpose
from apps.users.login_limit import LoginLimit
from apps.users.repositories import DjangoUsers, Users
from apps.users.second_factor import SecondFactors
from apps.users.session_repositories import DjangoAttempts, DjangoSessions
from apps.users.sessions import Sessions
from apps.users.tokens import AccessTokens
from apps.users.totp import PURPOSE as SECOND_FACTORS
from config import tracing, wiring
from config.env import Settings
from config.notices import say_where_links_lead, say_where_mail_goes
from config.sentry import report_errors
from config.tracing.calls import TracedBreaker, TracedRetry

# how long a person may wait to see the breakers
PATIENCE_SECONDS = 1.0


class Container(Parts):
    """Builds each part once, when it is first needed; a part given to the constructor replaces the built one."""

    def __init__(self, env: Settings, **given: Any) -> None:
        super().__init__(**given)
        self.env = env

    @cached_property
    def users(self) -> Users:
        """Where users are kept."""
        return DjangoUsers()

    @cached_property
    def breakers(self) -> Breakers:
        """Every circuit breaker of the service, by name; each part adds its own."""
        return Breakers()

    def breaker(self, name: str, *exclude: type[Exception]) -> SharedCircuitBreaker:
        """Make one of `breakers`; errors of the kinds `exclude` say nothing about the other side."""
        env, prefix = self.env, settings.VALKEY_PREFIX
        patient = Valkey(env.redis_url, timeout=PATIENCE_SECONDS, pause=0, prefix=prefix)
        made = TracedBreaker(
            name,
            ValkeyState(valkey_at(env.redis_url, prefix), patient=patient),
            failure_threshold=env.breaker_failure_threshold,
            call_timeout=env.breaker_call_timeout,
            recovery_timeout=env.breaker_recovery_timeout,
            exclude=exclude,
            time_limit=deadline,
        )
        self.breakers.add(made)
        return made

    @cached_property
    def retry(self) -> Retry:
        """How calls to other machines are repeated."""
        env = self.env
        return TracedRetry(
            max_attempts=env.retry_max_attempts,
            base_delay=env.retry_base_delay,
            max_delay=env.retry_max_delay,
            exponential_base=env.retry_exponential_base,
            # the receiver that waits holds a lease on its delivery, which must not run out meanwhile
            budget=LONGEST_WAIT_SECONDS / 2,
        )

    @cached_property
    def tokens(self) -> AccessTokens:
        """Signs and reads access tokens."""
        env = self.env
        lifetime = env.access_token_expire_minutes * 60
        return AccessTokens(env.secret_key, env.algorithm, lifetime, env.secret_key_fallbacks)

    @cached_property
    def sessions(self) -> Sessions:
        """Logins."""
        env = self.env
        lifetime = timedelta(days=env.refresh_token_expire_days)
        parts = (DjangoSessions(), self.tokens, self.login_limit, self.second_factors)
        return Sessions(*parts, lifetime, verified_only=env.email_verification == "required")

    @cached_property
    def login_limit(self) -> LoginLimit:
        """How often a password or a code may be guessed."""
        return LoginLimit(DjangoAttempts(), self.env.login_rate_limit_per_minute)

    @cached_property
    def second_factors(self) -> SecondFactors:
        """Second factors."""
        env = self.env
        box = Box(env.secret_key, SECOND_FACTORS, env.secret_key_fallbacks)
        parts = (DjangoFactors(), DjangoSessions(), self.login_limit, box)
        return SecondFactors(*parts, issuer=env.api_title, staff_required=env.staff_otp_required)

    @cached_property
    def links(self) -> Links:
        """Makes the links in account mails, to pages of the product or of our own; never by a Host header."""
        env = self.env
        own = {purpose: f"{env.public_url}/account/{purpose}?token={{token}}" for purpose in Purpose}
        if env.password_reset_url:
            own[Purpose.RESET] = env.password_reset_url
        return Links(env.secret_key, own, env.secret_key_fallbacks)

    def wire(self, bus: Bus) -> None:
        """Register every handler with `bus`; `config/wiring` has a module for each part."""
        for part in iter_modules(wiring.__path__):
            import_module(f"{wiring.__name__}.{part.name}").wire(self, bus)


def compose() -> None:
    """Wire the process's bus from the process's settings; Django calls it once, when its apps are ready."""
    import_module("config.celery").take_tasks()
    report_errors(settings.ENV)
    say_where_mail_goes(settings.ENV)
    say_where_links_lead(settings.ENV)
    tracing.start(settings.ENV)
    Container(settings.ENV).wire(bus)
