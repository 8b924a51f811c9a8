"""The yardstick: a ModelViewSet as DRF's own documentation teaches it, doing the job of our users' routes.

Bearer JWT, a limit per user, a request id, a log line, and an event beside each registration. It has no versions,
entity tags, idempotency, sessions, narrow columns or bounded waits.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import jwt
from django.conf import settings
from django.core.cache import cache
from django.db import models, transaction
from django.urls import include, path
from rest_framework import routers, serializers, viewsets
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

LIMIT_PER_MINUTE = 10**9


class PlainUser(models.Model):
    """A user."""

    id = models.BigAutoField(primary_key=True)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=150)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[PlainUser]] = models.Manager()
    is_authenticated = True

    class Meta:
        app_label = "bench"
        db_table = "bench_user"
        managed = False

    def __str__(self) -> str:
        return self.email


class PlainOutbox(models.Model):
    """An event."""

    id = models.BigAutoField(primary_key=True)
    type = models.CharField(max_length=100)
    data = models.JSONField()

    objects: ClassVar[models.Manager[PlainOutbox]] = models.Manager()

    class Meta:
        app_label = "bench"
        db_table = "bench_outbox"
        managed = False

    def __str__(self) -> str:
        return self.type


class Claimed:
    """The user that a token names, unchecked."""

    is_authenticated = True

    def __init__(self, pk: int) -> None:
        self.pk = pk


class TokenAuthentication(BaseAuthentication):
    """As simplejwt does by default: the token is verified, its user looked up."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, settings.SECRET_KEY, algorithms=["HS256"])
        except jwt.InvalidTokenError as error:
            raise AuthenticationFailed from error
        return self.user(int(claims["sub"])), claims

    def user(self, key: int) -> Any:
        user = PlainUser.objects.filter(pk=key, is_active=True).first()
        if user is None:
            raise AuthenticationFailed
        return user


class StatelessAuthentication(TokenAuthentication):
    """The token alone decides; for the registration, which is open to anyone."""

    def user(self, key: int) -> Any:
        return Claimed(key)


class MinuteThrottle(BaseThrottle):
    """A counter per user and minute; UserRateThrottle's own list of time stamps grows with the rate."""

    def allow_request(self, request: Request, view: Any) -> bool:
        # a PlainUser or Claimed, by TokenAuthentication
        caller: Any = request.user
        key = f"plain:{caller.pk}:{int(time.time() // 60)}"
        try:
            return int(cache.incr(key)) <= LIMIT_PER_MINUTE
        except ValueError:
            cache.set(key, 1, 60)
            return True


class PlainUserSerializer(serializers.ModelSerializer[PlainUser]):
    """A user as clients see it."""

    class Meta:
        model = PlainUser
        fields = ("id", "email", "name", "is_active", "created_at")
        read_only_fields = ("is_active",)


class NewestFirst(CursorPagination):
    """Pages by keyset."""

    ordering = "-id"
    page_size_query_param = "limit"
    max_page_size = 100


class PlainUserViewSet(viewsets.ModelViewSet[PlainUser]):
    """Users."""

    queryset = PlainUser.objects.all()
    serializer_class = PlainUserSerializer
    pagination_class = NewestFirst
    throttle_classes = (MinuteThrottle,)

    def get_authenticators(self) -> list[BaseAuthentication]:
        registers = getattr(self.request, "method", "") == "POST"
        return [StatelessAuthentication() if registers else TokenAuthentication()]

    @transaction.atomic
    def perform_create(self, serializer: serializers.BaseSerializer[PlainUser]) -> None:
        user = serializer.save()
        PlainOutbox.objects.create(type="user.created", data={"user_id": user.pk, "email": user.email})


router = routers.DefaultRouter(trailing_slash=False)
router.register("users", PlainUserViewSet)
urlpatterns = [path("api/v1/", include(router.urls))]
