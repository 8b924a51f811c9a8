"""What answers the users' messages."""

from __future__ import annotations

from apps.core.bus import Bus
from apps.core.crypto import Box
from apps.users import commands as users
from apps.users import factor_commands as factors
from apps.users import queries as user_queries
from apps.users import session_queries
from apps.users.leaving import Leaving
from apps.users.leaving_repositories import PURPOSE, Erasures
from apps.users.services import UserService
from config.container import Container


def wire(container: Container, bus: Bus) -> None:
    """Register the handlers."""
    erasures = Erasures(Box(container.env.secret_key, PURPOSE, container.env.secret_key_fallbacks))
    service = UserService(container.users, container.sessions, erasures)
    bus.register(users.RegisterUser, service.register)
    bus.register(users.ImportUsers, service.import_many)
    bus.register(users.UpdateUser, service.update)
    bus.register(users.DeleteUser, service.delete)
    leaving = Leaving(container.users, container.sessions, service, erasures)
    bus.register(users.Leave, leaving.leave)
    bus.register(users.EraseNext, leaving.erase_next)
    bus.register(users.SetPassword, service.set_password)
    bus.register(users.CheckCredentials, container.sessions.check)
    bus.register(users.ConfirmLogin, container.sessions.confirm)
    bus.register(users.LogIn, container.sessions.log_in)
    bus.register(users.RefreshSession, container.sessions.refresh)
    bus.register(users.IssueToken, container.sessions.issue)
    bus.register(users.EndSession, container.sessions.end_one)
    bus.register(users.EndSessions, container.sessions.end_others)
    bus.register(factors.CheckLogin, container.sessions.check_login)
    bus.register(factors.BeginTotp, container.second_factors.begin)
    bus.register(factors.ShowTotp, container.second_factors.show)
    bus.register(factors.ConfirmTotp, container.second_factors.confirm)
    bus.register(factors.RemoveTotp, container.second_factors.remove)
    bus.register(factors.ResetTotp, container.second_factors.reset)
    bus.register(users.PruneSessions, container.sessions.prune)
    bus.register(user_queries.ReadToken, user_queries.TokenReader(container.tokens).read)
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
