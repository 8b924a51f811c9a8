"""API versioning, naive: a route for each version, one by header, and a serializer that they share."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import path

from apps.users.models import User


def serialize(user: User, version: str) -> dict[str, Any]:
    """A user, for every version."""
    return {
        "api_version": version,
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "is_active": user.is_active,
        "created_at": user.created_at,
        # new in v2
        "updated_at": user.updated_at,
    }


def get_user_v1(request: HttpRequest, user_id: int) -> JsonResponse:
    return JsonResponse(serialize(User.objects.get(id=user_id), "v1"))


def get_user_v2(request: HttpRequest, user_id: int) -> JsonResponse:
    return JsonResponse(serialize(User.objects.get(id=user_id), "v2"))


def get_user(request: HttpRequest, user_id: int) -> JsonResponse:
    if request.headers.get("X-API-Version", "v1") == "v2":
        return get_user_v2(request, user_id)
    return get_user_v1(request, user_id)


urlpatterns = [
    path("api/v1/users/<int:user_id>", get_user_v1),
    path("api/v2/users/<int:user_id>", get_user_v2),
    path("api/users/<int:user_id>", get_user),
]
