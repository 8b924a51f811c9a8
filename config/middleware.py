"""The middleware that needs settings: built here, named in settings.MIDDLEWARE."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.core.http.client import client_network
from apps.core.http.middleware.rate_limit import RateLimitMiddleware
from apps.core.http.problems import page_or_problem, problem
from apps.core.http.versioning import VersionMiddleware, is_api
from apps.core.resilience.valkey import valkey_at
from apps.users.api.authentication import caller_id

GetResponse = Callable[[HttpRequest], HttpResponse]
# where passwords and codes are typed and mails asked for: that costs as much here as at the API
GUESSED_AT = ("/admin/login/", "/admin/password_change/", "/admin/second-factor/", "/account/")


def version(get_response: GetResponse) -> VersionMiddleware:
    """Make the middleware that names the version in every API answer."""
    return VersionMiddleware(get_response, settings.ENV.api_v1_sunset)


def rate_limit(get_response: GetResponse) -> RateLimitMiddleware:
    """Make the rate limit of the API: by user, or without a valid token by address."""
    env = settings.ENV
    return RateLimitMiddleware(
        get_response,
        limit=env.rate_limit_per_minute,
        valkey=valkey_at(env.redis_url, settings.VALKEY_PREFIX),
        who=who,
        applies=lambda request: is_api(request) or request.path_info.startswith(GUESSED_AT),
        refuse=refuse,
    )


def refuse(request: HttpRequest, detail: str) -> HttpResponse:
    """The answer past the limit: a page in the admin, else a problem document."""
    return page_or_problem(request, problem(request, 429, "rate_limited", detail))


def who(request: HttpRequest) -> str:
    """Whom a request counts for: "user:7", or "addr:" and the client's network."""
    user_id = caller_id(request)
    return f"addr:{client_network(request)}" if user_id is None else f"user:{user_id}"
