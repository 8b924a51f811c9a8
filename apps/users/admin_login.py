"""The admin's login and password change: the same checks, and the same limit on failures, as the API's."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.views.decorators.cache import never_cache

from apps.core.bus import bus, unit_of_work
from apps.core.errors import TooMany
from apps.core.http.client import client_network
from apps.users import rules
from apps.users.admin_second_factor import begin_enrolment
from apps.users.api.serializers import CODE_LENGTH
from apps.users.commands import CheckCredentials, ConfirmLogin, Login, SetPassword
from apps.users.errors import EmailUnverified, OtpEnrolmentRequired, OtpRequired, WrongCredentials, WrongOtp
from apps.users.factor_commands import CheckLogin
from apps.users.models import User


class LoginForm(AdminAuthenticationForm):
    """Asks the bus whose credentials these are; a refusal becomes the form's error.

    `must_enrol` says that they are staff who need a second factor and have none.
    """

    login: Login
    must_enrol = False
    otp = forms.CharField(
        label="Code of your second factor, if you have one",
        required=False,
        max_length=CODE_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )

    def clean(self) -> dict[str, Any]:
        """Set `login` and `user_cache`. Raises ValidationError, also for a user who is not staff."""
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if email and password and self.request is not None:
            command = CheckLogin(email, client_network(self.request), password, self.cleaned_data.get("otp", ""))
            try:
                self.login = bus.execute(command)
            except WrongCredentials:
                raise self.get_invalid_login_error() from None
            except OtpEnrolmentRequired as error:
                self.login, self.must_enrol = cast(Login, error.login), True
            except (TooMany, EmailUnverified, OtpRequired, WrongOtp) as error:
                raise ValidationError(str(error), code=error.code) from None
            self.user_cache = User.objects.filter(id=self.login.user_id, password=self.login.password).first()
            if self.user_cache is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(self.user_cache)
        return self.cleaned_data


class AdminLogin(LoginView):
    """Django's view; the session begins only if the user did not change since the check."""

    def form_valid(self, form: Any) -> Any:
        """Log in, or show the form again."""
        try:
            with unit_of_work():
                bus.execute(ConfirmLogin(form.login))
                if form.must_enrol:
                    return begin_enrolment(self.request, form.login, self.get_success_url())
                return super().form_valid(form)
        except WrongCredentials:
            form.add_error(None, form.get_invalid_login_error())
            return self.form_invalid(form)


@never_cache
def log_in(request: HttpRequest) -> HttpResponseBase:
    """The admin's page for logging in: AdminSite's own, but over the view above."""
    index = reverse("admin:index")
    if request.method == "GET" and admin.site.has_permission(request):
        return redirect(index)
    context = {**admin.site.each_context(request), "title": "Log in", "app_path": request.get_full_path()}
    if "next" not in {*request.GET, *request.POST}:
        context["next"] = index
    view = AdminLogin.as_view(authentication_form=LoginForm, template_name="users/login.html", extra_context=context)
    return view(request)


class PasswordForm(AdminPasswordChangeForm):
    """Saves by the command, which ends every login made with the old password except this one.

    Guesses at the old password count like failed logins: whoever finds a browser open should not have more of them.
    """

    def __init__(self, *args: Any, address: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._address = address

    def clean_old_password(self) -> str:
        """Check the old password. Raises ValidationError if it is wrong, or after too many failures."""
        old: str = self.cleaned_data["old_password"]
        try:
            bus.execute(CheckCredentials(self.user.email, self._address, old))
        except (TooMany, EmailUnverified) as error:
            raise forms.ValidationError(str(error), code=error.code) from None
        except WrongCredentials:
            raise forms.ValidationError(self.error_messages["password_incorrect"], code="password_incorrect") from None
        return old

    def validate_password_for_user(self, *_: Any, **__: Any) -> None:
        """Check the command's rules; what they refuse shows at the field."""
        if new := self.cleaned_data.get("new_password1"):
            for problem in rules.password_problems(new, self.user.email, self.user.name):
                self.add_error("new_password2", problem.detail)

    def save(self, commit: bool = True) -> User:
        """Set the password and return the user as they are afterwards."""
        bus.execute(SetPassword(self.user.pk, self.cleaned_data["new_password1"]))
        self.user.refresh_from_db()
        return self.user


class PasswordChange(PasswordChangeView):
    """Django's view over the form above."""

    form_class = PasswordForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"address": client_network(self.request)}


def change_password(request: HttpRequest) -> HttpResponseBase:
    """The admin's page for one's own password."""
    view = PasswordChange.as_view(
        success_url=reverse_lazy("admin:password_change_done"),
        extra_context=admin.site.each_context(request),
    )
    return view(request)
