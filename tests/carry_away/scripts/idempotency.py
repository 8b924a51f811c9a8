"""A POST that is repeated under its key runs once, in a view of another project."""

import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="carried-away-carried-away-carried-away",
    ROOT_URLCONF="__main__",
    ALLOWED_HOSTS=["testserver"],
    INSTALLED_APPS=["rest_framework", "apps.core"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PGDATABASE"],
            "OPTIONS": {"options": "-c search_path=carried_keys"},
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.core.api.idempotency import RunOnce
from apps.core.models import IdempotentAnswer

runs: list[bytes] = []


class Order(APIView):
    """Takes an order."""

    @RunOnce()
    def post(self, request: Request) -> HttpResponse:
        """Take it."""
        runs.append(request.body)
        return HttpResponse(b"taken", status=201)


urlpatterns = [path("orders", Order.as_view())]

with connection.cursor() as cursor:
    cursor.execute("DROP SCHEMA IF EXISTS carried_keys CASCADE; CREATE SCHEMA carried_keys")
try:
    with connection.schema_editor() as editor:
        editor.create_model(IdempotentAnswer)
    client = Client()
    post = lambda body: client.post("/orders", body, "application/json", headers={"Idempotency-Key": "k1"})  # noqa: E731
    first, again, other = post(b'{"n":1}'), post(b'{"n":1}'), post(b'{"n":2}')
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert runs == [b'{"n":1}']
    print("used")
finally:
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA carried_keys CASCADE")
