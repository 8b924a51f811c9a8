"""This service's own pages for the links in account mails: for products without a front end, and without JavaScript.

A look at a page changes nothing, since mail filters follow every link; the button does. No page is kept by a browser,
none tells another site or a server's log the token: it goes into the form, and the referrer is the origin alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.core.bus import Command, bus
from apps.core.errors import DomainError, Invalid
from apps.users.account_commands import (
    CheckLink,
    ConfirmPasswordReset,
    RequestPasswordReset,
    UndoEmailChange,
    VerifyEmail,
)
from apps.users.api.serializers import PASSWORD_LENGTH
from apps.users.errors import DeadLink
from apps.users.links import TOKEN_LENGTH, Purpose
from apps.users.models import EMAIL_LENGTH

# the origin alone: "no-referrer" would also take away the Origin that the check against forged requests looks at
REFERRER = "strict-origin"


class LinkForm(forms.Form):
    """The token of a link, which nobody types."""

    token = forms.CharField(widget=forms.HiddenInput, max_length=TOKEN_LENGTH, strip=False)


class PasswordForm(LinkForm):
    """A new password; apps/users/rules.py decides."""

    password = forms.CharField(
        label="New password",
        max_length=PASSWORD_LENGTH,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="8 characters or more, not only digits, and none of the most common ones.",
    )


class EmailForm(forms.Form):
    """An e-mail address; apps/users/rules.py decides."""

    email = forms.CharField(
        label="E-mail address", max_length=EMAIL_LENGTH, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


@dataclass(frozen=True)
class Page:
    """A page with a form: what it says before and afterwards, and the command that it sends."""

    title: str
    form: type[forms.Form]
    button: str
    done: str
    command: Callable[[Mapping[str, Any]], Command[None]]
    purpose: Purpose | None = None


RESET = Page(
    "Choose a new password",
    PasswordForm,
    "Change the password",
    "Your password is changed, and every log-in has ended. You can log in with the new one.",
    lambda given: ConfirmPasswordReset(given["token"], given["password"]),
    Purpose.RESET,
)
VERIFY = Page(
    "Confirm your address",
    LinkForm,
    "Confirm",
    "Your address is confirmed.",
    lambda given: VerifyEmail(given["token"]),
    Purpose.VERIFY,
)
CHANGE = Page(
    "Confirm your new address",
    LinkForm,
    "Confirm",
    "Your address is changed. The old one was told.",
    lambda given: VerifyEmail(given["token"]),
    Purpose.CHANGE,
)
UNDO = Page(
    "Undo the change of your address",
    LinkForm,
    "Undo the change",
    "This is your address again. Every log-in has ended, and the password; a mail lets you choose a new one.",
    lambda given: UndoEmailChange(given["token"]),
    Purpose.UNDO,
)
FORGOTTEN = Page(
    "Forgotten password",
    EmailForm,
    "Send me a link",
    "If there is an account with this address, a mail with a link is on its way. The link works for an hour.",
    lambda given: RequestPasswordReset(given["email"]),
)


def view_of(page: Page) -> Callable[[HttpRequest], HttpResponse]:
    """The view that shows `page` and does what its button says."""

    @never_cache
    @sensitive_post_parameters()
    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest) -> HttpResponse:
        try:
            answer = _done(request, page) if request.method == "POST" else _asked(request, page)
        except DeadLink as error:
            answer = _page(request, page, 400, dead=str(error))
        answer.headers["Referrer-Policy"] = REFERRER
        return answer

    return view


def _asked(request: HttpRequest, page: Page) -> HttpResponse:
    token = request.GET.get("token", "")
    if page.purpose:
        bus.ask(CheckLink(page.purpose, token))
    return _page(request, page, form=page.form(initial={"token": token}))


def _done(request: HttpRequest, page: Page) -> HttpResponse:
    form = page.form(request.POST)
    if form.is_valid():
        try:
            bus.execute(page.command(form.cleaned_data))
            return _page(request, page, done=page.done)
        except Invalid as error:
            for problem in error.problems:
                form.add_error(problem.pointer.lstrip("/"), problem.detail)
        except DeadLink:
            raise
        except DomainError as error:
            form.add_error(None, str(error))
    if "token" in form.errors:
        raise DeadLink
    return _page(request, page, 400, form=form)


def _page(request: HttpRequest, page: Page, status: int = 200, **context: Any) -> HttpResponse:
    return render(request, "users/account/page.html", {"page": page, **context}, status=status)


urlpatterns = [
    *(path(f"account/{page.purpose}", view_of(page)) for page in (RESET, VERIFY, CHANGE, UNDO)),
    # the name that the admin's page for logging in looks for
    path("account/forgotten-password", view_of(FORGOTTEN), name="admin_password_reset"),
]
