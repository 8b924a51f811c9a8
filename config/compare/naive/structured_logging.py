"""Structured logging, naive: structlog as its introduction sets it up, a logging middleware, and two tasks."""

from __future__ import annotations

import json
import logging
import sys
import time
import uuid
from collections.abc import Callable

import structlog
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from apps.users.models import User

logger = structlog.get_logger()


def configure() -> None:
    """What a settings.py calls, in every process."""
    logging.basicConfig(format="%(message)s", stream=sys.stdout, level=logging.INFO, force=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def logging_middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Logs each request and its answer."""

    def middleware(request: HttpRequest) -> HttpResponse:
        start_time = time.time()
        logging.info(f"Request: {request.method} {request.get_full_path()}")
        response = get_response(request)
        logging.info(f"Response: {response.status_code} (took {time.time() - start_time:.2f}s)")
        return response

    return middleware


def register(request: HttpRequest) -> JsonResponse:
    """POST /users"""
    log = logger.bind(request_id=request.headers.get("X-Request-ID") or uuid.uuid4().hex)
    body = json.loads(request.body)
    with transaction.atomic():
        user = User.objects.create(email=body["email"], name=body["name"], password="!")  # noqa: S106
    log.info("user_created", user_id=user.id, email=user.email, ip_address=request.META["REMOTE_ADDR"])
    return JsonResponse({"id": user.id}, status=201)


def offer_trial(user_id: int) -> None:
    """A task, in a worker."""
    logger.info("trial_offered", user_id=user_id)


def send_welcome_email(user_id: int) -> None:
    """A task, in another worker."""
    user = User.objects.get(id=user_id)
    logger.info("welcome_email_sent", user_id=user_id, email=user.email)


urlpatterns = [path("api/v1/users", register)]
