"""The admin's login and password change: the same checks, and the same limit on failures, as the API's."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy

from apps.core.bus import bus
from apps.core.errors import TooMany
from apps.core.http.client import client_network
from apps.users.commands import CheckCredentials, SetPassword
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


class PasswordForm(AdminPasswordChangeForm):
    """Saves by the command, which ends every login made with the old password but this one."""

    def save(self, commit: bool = True) -> User:
        """The user as they are after it."""
        bus.execute(SetPassword(self.user.pk, self.cleaned_data["new_password1"]))
        self.user.refresh_from_db()
        return self.user


def change_password(request: HttpRequest) -> HttpResponseBase:
    """The admin's page for one's own password."""
    view = PasswordChangeView.as_view(
        form_class=PasswordForm,
        success_url=reverse_lazy("admin:password_change_done"),
        extra_context=admin.site.each_context(request),
    )
    return view(request)
