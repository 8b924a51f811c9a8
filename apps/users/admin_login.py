"""The admin's login: the same check, and the same limit on failures, as the API's."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError

from apps.core.bus import bus
from apps.core.errors import TooMany
from apps.core.middleware.client import client_network
from apps.users.commands import CheckCredentials
from apps.users.errors import WrongCredentials
from apps.users.models import User


class LoginForm(AdminAuthenticationForm):
    """Asks the bus who that is; a refusal is the form's error."""

    def clean(self) -> dict[str, Any]:
        """Finds `user_cache`. Raises ValidationError, also for a user who is no staff."""
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if email and password and self.request is not None:
            try:
                user_id = bus.execute(CheckCredentials(email, client_network(self.request), password))
            except WrongCredentials:
                raise self.get_invalid_login_error() from None
            except TooMany as error:
                raise ValidationError(str(error), code=error.code) from None
            self.user_cache = User.objects.get(id=user_id)
            self.confirm_login_allowed(self.user_cache)
        return self.cleaned_data
