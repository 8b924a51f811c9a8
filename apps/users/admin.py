"""Users in the admin; every change goes through the same commands as the API's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from apps.core.backoffice.actions import CommandAction, deletion
from apps.core.backoffice.forms import VersionedForm
from apps.core.backoffice.links import Link, is_aggregate, list_of, related
from apps.core.backoffice.site import ServiceAdmin, Tool
from apps.core.bus import bus
from apps.core.errors import Conflict, FieldProblem
from apps.users import (
    admin_import,
    overview,  # noqa: F401 - registers the panel
    rules,
)
from apps.users.admin_sessions import LOG_OUT
from apps.users.commands import DeleteUser, RegisterUser, UpdateUser
from apps.users.factor_commands import ResetTotp
from apps.users.models import User
from apps.users.search import searchable


class UserForm(VersionedForm[User]):
    """Checks a user by the same rules as every other entrance."""

    password = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Empty: the user cannot log in yet.",
    )

    class Meta:
        model = User
        fields: ClassVar = ["email", "name", "is_staff", "is_active"]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        email, name, password = given.get("email") or "", given.get("name") or "", given.get("password")
        problems: list[FieldProblem | None] = [rules.name_problem(name.strip())]
        if not self.instance.pk:
            email = rules.clean_email(email)
            problems.append(rules.email_problem(email))
            if User.objects.with_email(email).exists():
                problems.append(FieldProblem("/email", "email_taken", "There is already a user with this e-mail."))
            if password:
                problems += rules.password_problems(password, email, name)
        for problem in problems:
            if problem:
                self.add_error(problem.pointer.lstrip("/"), problem.detail)
        return given


def _deactivate(user: User, request: HttpRequest) -> UpdateUser:
    if user.pk == request.user.pk:
        raise Conflict("You would lock yourself out.")
    return UpdateUser(user.pk, is_active=False)


DEACTIVATE = CommandAction[User](
    "deactivate",
    "Deactivate",
    "Each user is logged out everywhere at once and cannot log in until activated again. Nothing of theirs is deleted.",
    "deactivated",
    _deactivate,
    lambda user: user.is_active,
)
ACTIVATE = CommandAction[User](
    "activate",
    "Activate",
    "Each user can log in again, with the same password as before; tokens given out before stay dead.",
    "activated",
    lambda user, request: UpdateUser(user.pk, is_active=True),
    lambda user: not user.is_active,
)


RESET = CommandAction[User](
    "remove_second_factor",
    "Remove second factor",
    "For somebody who lost it, once you are sure that it is them who asks. Their sessions end; if staff need a "
    "second factor, their next log-in sets up another one.",
    "second factor removed",
    lambda user, request: ResetTotp(user.pk),
    lambda user: user.has_second_factor,
)
DELETE = deletion(User, lambda user, request: DeleteUser(user.pk))


# on the page of a user, not to be changed there
SHOWN = ("email_verified_at", "its_second_factor", "version", "created_at", "updated_at", "last_login")


@admin.register(User)
class UserAdmin(ServiceAdmin[User]):
    """Users: register, import, rename, deactivate, delete."""

    form = UserForm
    list_display = ("email", "name", "is_active", "is_staff", "created_at", "id")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    search_help_text = "A user's number or whole e-mail, or any part of e-mail or name."
    ordering = ("-id",)
    sortable_by = ("created_at", "id")
    date_hierarchy = "created_at"
    tools: ClassVar = (Tool("Import users", "import", admin_import.upload),)
    actions = (LOG_OUT, RESET, DEACTIVATE, ACTIVATE, DELETE)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """Search by number, whole e-mail, or any part without letter case and accents; each through an index."""
        term = search_term.strip()
        if term.isdigit() and User.objects.filter(pk=int(term)).exists():
            return queryset.filter(pk=int(term)), False
        if "@" in term and (owner := User.objects.with_email(term).first()):
            return queryset.filter(pk=owner.pk), False
        return queryset.filter(search__contains=searchable(term)), False

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return ["email", "name", "password", "is_staff"]
        return ["email", "name", "is_active", "is_staff", *SHOWN]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return [] if obj is None else ["email", "is_staff", *SHOWN]

    @admin.display(description="second factor")
    def its_second_factor(self, user: User) -> str:
        """Since when there is one, and how many recovery codes are left."""
        if not user.has_second_factor:
            return "none"
        factor = user.second_factor
        return f"since {factor.confirmed_at:%Y-%m-%d %H:%M}, {factor.recovery_codes.count()} recovery codes left"

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        """Run the command instead of saving the row."""
        if change:
            known: Any = form
            bus.execute(UpdateUser(obj.pk, **known.changes, expected_version=known.seen_version))
        else:
            password = form.cleaned_data.get("password") or None
            user = bus.execute(RegisterUser(obj.email, obj.name, password, is_staff=obj.is_staff))
            obj.pk = user.id

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Run the command instead of deleting the row."""
        bus.execute(DeleteUser(obj.pk))


is_aggregate("user", "users.user")


@related("users.user")
def of_user(user: User) -> Iterable[Link]:
    """Link a user to their sessions and to what happened to them, and staff to what they did."""
    yield Link("Sessions", list_of("users.session", user=user.pk, state="live"))
    yield Link("Events", list_of("events.outboxevent", aggregate=f"user:{user.pk}"))
    yield Link("Event deliveries", list_of("events.delivery", aggregate=f"user:{user.pk}"))
    if user.is_staff:
        yield Link("Done in the admin", list_of("core.adminnote", user_id=user.pk))
