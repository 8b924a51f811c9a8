"""The rate limit in another project: exact, by address, with its headers."""

import os

import django
from django.conf import settings

settings.configure(
    ROOT_URLCONF="__main__",
    ALLOWED_HOSTS=["testserver"],
    MIDDLEWARE=["__main__.limit"],
    TRUSTED_PROXY_COUNT=0,
    SECRET_KEY="x",
)
django.setup()

from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from apps.core.http.client import client_network
from apps.core.http.middleware.rate_limit import RateLimitMiddleware
from apps.core.resilience.valkey import Valkey

PLACE = os.getpid()


def limit(get_response: object) -> RateLimitMiddleware:
    """Two requests a minute from each address."""
    valkey = Valkey(os.environ["REDIS_URL"], timeout=5)
    return RateLimitMiddleware(get_response, limit=2, valkey=valkey, who=lambda r: f"addr:{PLACE}:{client_network(r)}")  # type: ignore[arg-type]


def hello(request: HttpRequest) -> HttpResponse:
    """Says hello."""
    return HttpResponse("hello")


urlpatterns = [path("", hello)]

answers = [Client().get("/") for _ in range(3)]
assert [answer.status_code for answer in answers] == [200, 200, 429]
assert answers[0].headers["RateLimit-Policy"] == '"default";q=2;w=60'
assert 0 < int(answers[2].headers["Retry-After"]) <= 60
print("used")
