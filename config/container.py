"""Dependency injection: the composition root, the one place that knows every concrete class.

Web, worker, commands and tests all start here: Django calls `compose` once its apps are ready. A part gets what it
needs through its constructor; whoever wants something done sends a message over the bus. A test that wants another part
composes a container of its own: `Container(settings, people=FakePeople())`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache, cached_property
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.cache import cache as django_cache

from apps.core.bus import Bus, bus
from apps.core.crypto import Box
from apps.core.key_rotation import GetSigned, KeyRotation, RotateKeys, get_signed
from apps.core.parts import Parts
from apps.core.resilience.breaker_state import ValkeyState
from apps.core.resilience.breakers import Breakers, GetBreakers, ResetBreaker
from apps.core.resilience.deadline import deadline
from apps.core.resilience.retry import Retry
from apps.core.resilience.valkey import Valkey, valkey_at
from apps.core.telemetry.spans import FindTrace, GetTrace, ListTraces, SpanStore
from apps.events import commands as events
from apps.events import queries as event_queries
from apps.events.deliveries import LONGEST_WAIT_SECONDS
from apps.events.repositories import Deliveries as EventDeliveries
from apps.events.repositories import Events
from apps.events.services import EventService
from apps.jobs import commands as jobs
from apps.jobs import queries as job_queries
from apps.jobs.processing import process_rows
from apps.jobs.repositories import JobQueue, Jobs
from apps.jobs.services import JobService
from apps.profiles import commands as profiles
from apps.profiles.cached_people import CachedPeople
from apps.profiles.directory import DirectoryRefused, Nobody, People, WhenAsked
from apps.profiles.known_people import KnownPeople
from apps.profiles.repositories import Profiles, SqlProfiles
from apps.profiles.services import ProfileService
from apps.users import account_commands as accounts
from apps.users import commands as users
from apps.users import factor_commands as factors
from apps.users import letters, session_queries
from apps.users import queries as user_queries
from apps.users.account_repositories import DjangoAccounts
from apps.users.accounts import Accounts
from apps.users.addresses import Addresses
from apps.users.export import run_export
from apps.users.factor_repositories import DjangoFactors
from apps.users.imports import run_import
from apps.users.leaving import Leaving
from apps.users.leaving_repositories import PURPOSE, Erasures
from apps.users.links import Links, Purpose
from apps.users.login_limit import LoginLimit
from apps.users.repositories import DjangoUsers, Users
from apps.users.second_factor import SecondFactors
from apps.users.services import UserService
from apps.users.session_repositories import DjangoAttempts, DjangoSessions
from apps.users.sessions import Sessions
from apps.users.tokens import AccessTokens
from apps.users.totp import PURPOSE as SECOND_FACTORS
from apps.webhooks import commands as webhooks
from apps.webhooks import queries as webhook_queries
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.repositories import Deliveries, Endpoints, SendQueue
from apps.webhooks.secrets import SecretBox
from apps.webhooks.services import Retention, WebhookService
from config import tracing
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
    def profiles(self) -> Profiles:
        """Where profiles are kept."""
        return SqlProfiles()

    @cached_property
    def breakers(self) -> Breakers:
        """Every circuit breaker of the service, by name."""
        env, prefix = self.env, settings.VALKEY_PREFIX
        patient = Valkey(env.redis_url, timeout=PATIENCE_SECONDS, pause=0, prefix=prefix)
        people = TracedBreaker(
            "people",
            ValkeyState(valkey_at(env.redis_url, prefix), patient=patient),
            failure_threshold=env.breaker_failure_threshold,
            call_timeout=env.breaker_call_timeout,
            recovery_timeout=env.breaker_recovery_timeout,
            exclude=(DirectoryRefused,),
            time_limit=deadline,
        )
        return Breakers([people])

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
    def people(self) -> People:
        """The people directory, if there is one."""
        if not self.env.external_api_url:
            return Nobody()
        return WhenAsked(self._people_client)

    def _people_client(self) -> People:
        # an HTTP client is half of the start of a process, and few need one
        from apps.profiles.people import PeopleClient  # noqa: PLC0415

        url, key = self.env.external_api_url, self.env.external_api_key
        client = PeopleClient(url, key, self.breakers["people"], self.retry)
        return CachedPeople(client, self.known_people, patience=self.env.breaker_call_timeout)

    @cached_property
    def known_people(self) -> KnownPeople:
        """What the people directory answered before."""
        env = self.env
        # nobody who asks the directory has longer than a receiver has
        return KnownPeople(
            django_cache, (env.secret_key, *env.secret_key_fallbacks), env.redis_ttl, LONGEST_WAIT_SECONDS
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
        """Register every handler with `bus`."""
        self._wire_users(bus)
        self._wire_accounts(bus)
        self._wire_profiles(bus)
        self._wire_events(bus)
        self._wire_jobs(bus)
        self._wire_webhooks(bus)
        bus.register(GetBreakers, self.breakers.all)
        bus.register(ResetBreaker, self.breakers.reset)
        spans = SpanStore(Valkey(self.env.redis_url, timeout=PATIENCE_SECONDS, pause=0))
        bus.register(GetTrace, spans.read)
        bus.register(FindTrace, spans.find)
        bus.register(ListTraces, spans.newest)
        bus.register(RotateKeys, KeyRotation(self.env.secret_key, self.env.secret_key_fallbacks).rotate)
        bus.register(GetSigned, get_signed)

    def _wire_users(self, bus: Bus) -> None:
        erasures = Erasures(Box(self.env.secret_key, PURPOSE, self.env.secret_key_fallbacks))
        service = UserService(self.users, self.sessions, erasures)
        bus.register(users.RegisterUser, service.register)
        bus.register(users.ImportUsers, service.import_many)
        bus.register(users.UpdateUser, service.update)
        bus.register(users.DeleteUser, service.delete)
        leaving = Leaving(self.users, self.sessions, service, erasures)
        bus.register(users.Leave, leaving.leave)
        bus.register(users.EraseNext, leaving.erase_next)
        bus.register(users.SetPassword, service.set_password)
        bus.register(users.CheckCredentials, self.sessions.check)
        bus.register(users.ConfirmLogin, self.sessions.confirm)
        bus.register(users.LogIn, self.sessions.log_in)
        bus.register(users.RefreshSession, self.sessions.refresh)
        bus.register(users.IssueToken, self.sessions.issue)
        bus.register(users.EndSession, self.sessions.end_one)
        bus.register(users.EndSessions, self.sessions.end_others)
        bus.register(factors.CheckLogin, self.sessions.check_login)
        bus.register(factors.BeginTotp, self.second_factors.begin)
        bus.register(factors.ShowTotp, self.second_factors.show)
        bus.register(factors.ConfirmTotp, self.second_factors.confirm)
        bus.register(factors.RemoveTotp, self.second_factors.remove)
        bus.register(factors.ResetTotp, self.second_factors.reset)
        bus.register(users.PruneSessions, self.sessions.prune)
        bus.register(user_queries.ReadToken, user_queries.TokenReader(self.tokens).read)
        bus.register(user_queries.GetCaller, user_queries.get_caller)
        bus.register(session_queries.ListSessions, session_queries.list_sessions)
        bus.register(user_queries.FindUser, user_queries.find_user)
        bus.register(user_queries.IsThere, user_queries.is_there)
        bus.register(user_queries.GetPerson, user_queries.get_person)
        bus.register(user_queries.FindChangedEmails, user_queries.find_changed_emails)
        bus.register(user_queries.GetUser, user_queries.get_user)
        bus.register(user_queries.ListUsers, user_queries.list_users)
        bus.register(user_queries.ListStaffEmails, user_queries.list_staff_emails)
        bus.register(user_queries.GetTime, user_queries.get_time)
        bus.register(user_queries.FindMadeSince, user_queries.find_made_since)

    def _wire_accounts(self, bus: Bus) -> None:
        parts = (self.users, self.sessions, DjangoAccounts(), self.links)
        service = Accounts(*parts)
        bus.register(accounts.ChangePassword, service.change_password)
        bus.register(accounts.RequestPasswordReset, service.request_reset)
        bus.register(accounts.ConfirmPasswordReset, service.confirm_reset)
        addresses = Addresses(*parts, service, self.second_factors)
        bus.register(accounts.RequestVerification, addresses.request_verification)
        bus.register(accounts.VerifyEmail, addresses.verify)
        bus.register(accounts.RequestEmailChange, addresses.request_change)
        bus.register(accounts.UndoEmailChange, addresses.undo)
        bus.register(accounts.PruneEmailChanges, addresses.prune)
        bus.register(accounts.CheckLink, addresses.check_link)
        writing = letters.Letters(DjangoAccounts(), self.links, verifies=self.env.email_verification != "off")
        bus.register(letters.WriteWelcome, writing.welcome)
        bus.register(letters.WriteReset, writing.reset)
        bus.register(letters.WriteVerification, writing.verification)
        bus.register(letters.WriteChange, writing.change)
        bus.register(letters.WriteUndo, writing.undo)
        bus.register(letters.WriteUndone, writing.undone)

    def _wire_profiles(self, bus: Bus) -> None:
        service = ProfileService(self.profiles, self.people)
        bus.register(profiles.CreateProfiles, service.create)
        bus.register(profiles.LookUpPerson, service.look_up)
        bus.register(profiles.ForgetPerson, self.known_people.forget)
        bus.register(profiles.ForgetPeople, self.known_people.forget_all)
        bus.register(profiles.RecordEnrichment, service.record)

    def _wire_events(self, bus: Bus) -> None:
        env = self.env
        retention = timedelta(days=env.event_retention_days), timedelta(days=env.undelivered_retention_days)
        service = EventService(Events(), EventDeliveries(), *retention)
        bus.register(events.ReplayDeliveries, service.replay)
        bus.register(events.PruneEvents, service.prune)
        bus.register(event_queries.ReadFeed, event_queries.read_feed)
        bus.register(event_queries.GetBacklog, event_queries.get_backlog)

    def _wire_jobs(self, bus: Bus) -> None:
        kinds = {"process": process_rows, "import_users": run_import, "export": run_export}
        service = JobService(Jobs(), JobQueue(), kinds, timedelta(days=self.env.event_retention_days))
        bus.register(jobs.SubmitJob, service.submit)
        bus.register(jobs.CancelJob, service.cancel)
        bus.register(jobs.RetryJob, service.retry)
        bus.register(jobs.PruneJobs, service.prune)
        bus.register(jobs.RunNextJob, service.run_next)
        bus.register(job_queries.GetJob, job_queries.get_job)
        bus.register(job_queries.ListJobs, job_queries.list_jobs)
        bus.register(job_queries.ReadRefusedLines, job_queries.read_refused_lines)

    def _wire_webhooks(self, bus: Bus) -> None:
        env = self.env
        policy = AddressPolicy(allow_private=env.webhook_allow_private_networks)
        box = SecretBox(env.secret_key, env.secret_key_fallbacks)
        retention = Retention(timedelta(days=env.event_retention_days), timedelta(days=env.undelivered_retention_days))
        service = WebhookService(Endpoints(), Deliveries(), policy, box, retention)
        bus.register(webhooks.RegisterEndpoint, service.register)
        bus.register(webhooks.CheckEndpoint, service.check)
        bus.register(webhooks.LookUpHost, service.look_up)
        bus.register(webhooks.UpdateEndpoint, service.update)
        bus.register(webhooks.DeleteEndpoint, service.delete)
        bus.register(webhooks.RotateSecret, service.rotate)
        bus.register(webhooks.SendTest, service.send_test)
        bus.register(webhooks.RetryDelivery, service.retry)
        bus.register(webhooks.FanOut, service.fan_out)
        bus.register(webhooks.DisableEndpoint, service.disable)
        bus.register(webhooks.PruneDeliveries, service.prune)
        bus.register(webhooks.SendDue, self._sending(policy, box))
        bus.register(webhook_queries.GetEndpoint, webhook_queries.get_endpoint)
        bus.register(webhook_queries.ListEndpoints, webhook_queries.list_endpoints)
        bus.register(webhook_queries.FindWanted, webhook_queries.find_wanted)
        bus.register(webhook_queries.ListDeliveries, webhook_queries.list_deliveries)

    def _sending(self, policy: AddressPolicy, box: SecretBox) -> Callable[[webhooks.SendDue], int]:
        @cache
        def drain() -> Callable[[float], int]:
            from apps.webhooks.sender import Sender  # noqa: PLC0415 - as the people directory's client

            return Sender(policy, SendQueue(box), self.env.webhook_retry_schedule).drain

        return lambda command: drain()(command.seconds)


def compose() -> None:
    """Wire the process's bus from the process's settings; Django calls it once, when its apps are ready."""
    import_module("config.celery").take_tasks()
    report_errors(settings.ENV)
    say_where_mail_goes(settings.ENV)
    say_where_links_lead(settings.ENV)
    tracing.start(settings.ENV)
    Container(settings.ENV).wire(bus)
