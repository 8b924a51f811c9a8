"""The admin's page for one's own second factor: it sets one up, or removes it.

Who must have one and has none gets here from the log-in, before they are logged in: the page knows by the session whose
password was right. What it keeps there is encrypted, and holds for ten minutes.
"""

from __future__ import annotations

import time
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import login as open_session
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.core.backoffice.log import CHANGE, note_row
from apps.core.bus import bus, unit_of_work
from apps.core.errors import DomainError, TooMany
from apps.core.http.client import client_network
from apps.users.api.serializers import CODE_LENGTH
from apps.users.commands import ConfirmLogin, Login
from apps.users.errors import TotpNotBegun, WrongCode
from apps.users.factor_commands import BeginTotp, ConfirmTotp, NewTotp, RemoveTotp, ShowTotp
from apps.users.models import User
from apps.users.qr import svg

PENDING, PATIENCE_SECONDS = "second_factor", 600
BACKEND = "django.contrib.auth.backends.ModelBackend"


class CodeForm(forms.Form):
    """Asks for a code."""

    code = forms.CharField(
        label="Code",
        max_length=CODE_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True}),
    )


def begin_enrolment(request: HttpRequest, login: Login, then: str) -> HttpResponse:
    """Lead somebody whose password was right to the page below, and from there on to `then`."""
    # another key: whoever knew the one from before the log-in must not set up the factor
    request.session.flush()
    user = User.objects.get(id=login.user_id)
    pending: dict[str, Any] = {"user": user.pk, "then": then, "hash": user.get_session_auth_hash()}
    request.session[PENDING] = pending | {"until": time.time() + PATIENCE_SECONDS}
    return redirect("second-factor")


@never_cache
@require_http_methods(["GET", "POST"])
def second_factor(request: HttpRequest) -> HttpResponseBase:
    """The page: the QR code and a form for the first code of it; or a form that removes what there is."""
    is_in = admin.site.has_permission(request)
    user = _person(request.user.pk or 0) if is_in else _whose(request)
    if user is None:
        return redirect(f"{admin.site.name}:login")
    form = CodeForm(request.POST or None)
    try:
        if request.method == "POST" and form.is_valid():
            if request.POST.get("act") != _act(user):
                # the page with the recovery codes was loaded again
                return redirect("second-factor")
            act = _remove if user.has_second_factor else _confirm
            try:
                return act(request, user, form.cleaned_data["code"], is_in=is_in)
            except (WrongCode, TooMany) as error:
                form.add_error("code", str(error))
        return _asking(request, user, form)
    except DomainError:
        # something else has changed meanwhile: the page looks again
        return redirect("second-factor")


def _asking(request: HttpRequest, user: User, form: CodeForm) -> HttpResponse:
    context = {"form": form, "user_of_page": user, "act": _act(user)}
    if not user.has_second_factor:
        drawn = _drawn(request, user)
        # drawn by this service, of what it made itself
        context |= {"secret": drawn.secret, "qr": mark_safe(svg(drawn.uri))}  # noqa: S308
    return _page(request, "users/second_factor.html", context)


def _act(user: User) -> str:
    return "remove" if user.has_second_factor else "confirm"


def _confirm(request: HttpRequest, user: User, code: str, *, is_in: bool) -> HttpResponse:
    pending = request.session.get(PENDING, {})
    if "sealed" not in pending:
        raise TotpNotBegun
    proven = Login(user.pk, user.password, user.generation)
    codes = bus.execute(ConfirmTotp(user.pk, code, client_network(request), sealed=pending["sealed"], login=proven))
    # the sessions before it have ended: the one that this page belongs to is opened again, if nothing else has changed
    later = Login(user.pk, user.password, user.generation + 1)
    with unit_of_work():
        bus.execute(ConfirmLogin(later))
        user = User.objects.get(pk=user.pk)
        if is_in:
            update_session_auth_hash(request, user)
        else:
            open_session(request, user, BACKEND)
    request.session.pop(PENDING, None)
    note_row(request, CHANGE, user, "second factor set up")
    return _page(request, "users/recovery_codes.html", {"codes": codes, "then": pending.get("then") or "/admin/"})


def _remove(request: HttpRequest, user: User, code: str, *, is_in: bool) -> HttpResponse:
    bus.execute(RemoveTotp(user.pk, code, client_network(request)))
    note_row(request, CHANGE, user, "second factor removed")
    return redirect(f"{admin.site.name}:login")


def _person(key: int) -> User | None:
    return User.objects.select_related("second_factor").filter(pk=key, is_active=True).first()


def _whose(request: HttpRequest) -> User | None:
    """Whose password was right at the log-in, if nothing has changed since, and that was not too long ago."""
    pending = request.session.get(PENDING, {})
    if pending.get("until", 0) < time.time():
        return None
    user = _person(pending["user"])
    known = user is not None and not user.has_second_factor and user.get_session_auth_hash() == pending["hash"]
    return user if known else None


def _drawn(request: HttpRequest, user: User) -> NewTotp:
    """What the app is given: the same until it is confirmed, so that a mistyped code does not make a new one."""
    pending = request.session.get(PENDING, {})
    if "sealed" in pending:
        try:
            return bus.ask(ShowTotp(user.pk, pending["sealed"]))
        except TotpNotBegun:
            # closed with a key that is gone
            pass
    drawn = bus.execute(BeginTotp(user.pk))
    request.session[PENDING] = pending | {"sealed": drawn.sealed}
    return drawn


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return TemplateResponse(
        request, template, {**admin.site.each_context(request), "title": "Second factor", **context}
    )
