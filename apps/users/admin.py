"""Users in the admin; every change goes through the same commands as the API's."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from apps.core.admin import ServiceAdmin
from apps.core.bus import bus
from apps.core.errors import FieldProblem
from apps.users import rules
from apps.users.admin_login import LoginForm
from apps.users.commands import DeleteUser, RegisterUser, UpdateUser
from apps.users.models import User

admin.site.login_form = LoginForm


class UserForm(forms.ModelForm[User]):
    """Checks a user by the same rules as every other entrance."""

    password = forms.CharField(
        required=False, widget=forms.PasswordInput, help_text="Empty: the user cannot log in yet."
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


@admin.register(User)
class UserAdmin(ServiceAdmin[User]):
    """Users: register, rename, deactivate, delete."""

    form = UserForm
    list_display = ("email", "name", "is_active", "is_staff", "created_at")
    list_filter = ("is_active", "is_staff", "created_at")
    search_fields = ("email", "name")
    ordering = ("-id",)
    date_hierarchy = "created_at"

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return ["email", "name", "password", "is_staff"]
        return ["email", "name", "is_active", "is_staff", "version", "created_at", "updated_at", "last_login"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return [] if obj is None else ["email", "is_staff", "version", "created_at", "updated_at", "last_login"]

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        """Run the command instead of saving the row."""
        if change:
            bus.execute(UpdateUser(obj.pk, name=obj.name, is_active=obj.is_active))
        else:
            password = form.cleaned_data.get("password") or None
            user = bus.execute(RegisterUser(obj.email, obj.name, password, is_staff=obj.is_staff))
            obj.pk = user.id

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Run the command instead of deleting the row."""
        bus.execute(DeleteUser(obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Run the command for each."""
        for user_id in queryset.values_list("pk", flat=True):
            bus.execute(DeleteUser(user_id))
