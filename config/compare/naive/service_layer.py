"""Service layer, naive: the service looks if the e-mail is free before it inserts, and the view knows its errors."""

from __future__ import annotations

import json
from typing import ClassVar

from django.db import models
from django.http import HttpRequest, JsonResponse


class Customer(models.Model):
    """A person with an account."""

    id = models.BigAutoField(primary_key=True)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=150)

    objects: ClassVar[models.Manager[Customer]] = models.Manager()

    class Meta:
        app_label: ClassVar = "compare"

    def __str__(self) -> str:
        return self.email


class CustomerService:
    """What can be done with customers."""

    def create(self, email: str, name: str) -> Customer:
        if self._email_exists(email):
            raise ValueError("Email already registered")
        return Customer.objects.create(email=email, name=name)

    def _email_exists(self, email: str) -> bool:
        return Customer.objects.filter(email=email).exists()


def register(request: HttpRequest) -> JsonResponse:
    """POST /customers"""
    body = json.loads(request.body)
    try:
        customer = CustomerService().create(body["email"], body["name"])
    except ValueError as error:
        return JsonResponse({"error": str(error)}, status=409)
    return JsonResponse({"id": customer.id, "email": customer.email}, status=201)
