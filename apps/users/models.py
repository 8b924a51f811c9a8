"""Users, their sessions and refresh tokens, and changes of their addresses."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import make_password
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.crypto import salted_hmac

from apps.core.personal import number_of
from apps.core.queue.work_queue import WorkItem
from apps.users import passwords
from apps.users.mailboxes import one_spelling

EMAIL_LENGTH, NAME_LENGTH = 254, 150
# the longest network, 2001:db8:ffff::/48 spelt out; and as much of a User-Agent as tells a browser from a phone
NETWORK_LENGTH, USER_AGENT_LENGTH = 43, 200


# Django's own, in AbstractBaseUser
SESSION_SALT = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"


class UserManager(BaseUserManager["User"]):
    """Finds a user by e-mail in any letter case, for the admin's log-in. Users are made by the command RegisterUser."""

    def with_email(self, email: str) -> models.QuerySet[User]:
        """The user with this e-mail, if any; one look-up in the unique index over lower(email)."""
        return self.alias(lowered=Lower("email")).filter(lowered=one_spelling(email).lower())

    def get_by_natural_key(self, username: str | None) -> User:
        return self.with_email(username or "").get()


class User(AbstractBaseUser):
    """A person with an account. Staff may do everything in the admin; there are no finer permissions."""

    id = models.BigAutoField(primary_key=True)
    email = models.EmailField(max_length=EMAIL_LENGTH)
    name = models.CharField(max_length=NAME_LENGTH)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    email_verified_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    # name and e-mail as apps/users/search.py folds them; the repository keeps it up to date
    search = models.TextField(default="", db_default="", editable=False)
    # counts up when every log-in of the user ends: one that was checked or opened before is of an earlier generation
    generation = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar = ["name"]

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("email"), name="users_email_taken"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["is_active", "-id"], name="users_active"),
            GinIndex(fields=["search"], name="users_search", opclasses=["gin_trgm_ops"]),
            models.Index(fields=["id"], name="users_staff", condition=Q(is_staff=True)),
            models.Index(fields=["created_at"], name="users_created_at"),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def has_second_factor(self) -> bool:
        """Whether a second factor is in force; no query for whoever was read with `select_related`."""
        factor: SecondFactor | None = getattr(self, "second_factor", None)
        return factor is not None and factor.confirmed_at is not None

    @property
    def once_gone(self) -> str:
        """What they are called when they are erased."""
        return number_of(self.pk)

    def set_password(self, raw_password: str | None) -> None:
        """Django's hook; the use case is the command SetPassword."""
        self.password = passwords.hash_of(raw_password) if raw_password is not None else make_password(None)

    def check_password(self, raw_password: str | None) -> bool:
        """Whether `raw_password` is the user's password, in any of its spellings."""
        return raw_password is not None and passwords.matches(raw_password, self.password)

    def get_session_auth_hash(self) -> str:
        """What a session of the admin must have been opened with: it ends with the password or the generation."""
        return self._opened_with(settings.SECRET_KEY)

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """The same, for sessions from the time of an earlier SECRET_KEY."""
        return map(self._opened_with, settings.SECRET_KEY_FALLBACKS)

    def _opened_with(self, secret: str | bytes) -> str:
        # as Django makes it while the generation is 0, so that an upgrade logs nobody out
        opened = self.password + (f" {self.generation}" if self.generation else "")
        return salted_hmac(SESSION_SALT, opened, secret=secret, algorithm="sha256").hexdigest()

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Whether the user may: active staff may do everything."""
        return self.is_active and self.is_staff

    def has_module_perms(self, app_label: str) -> bool:
        """Whether the user may: active staff may do everything."""
        return self.is_active and self.is_staff


class EmailChange(models.Model):
    """A change of a user's address: asked for, confirmed from the new one, perhaps undone from the old one."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="email_changes")
    old_email = models.EmailField(max_length=EMAIL_LENGTH)
    new_email = models.EmailField(max_length=EMAIL_LENGTH)
    requested_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.old_email} → {self.new_email}"


class Session(models.Model):
    """One login; every token that descends from it ends when it is revoked.

    Network and user agent are those of the log-in or, after it, of the last refresh; a session that a command has
    opened has no network.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    refreshed_at = models.DateTimeField(null=True)
    network = models.CharField(max_length=NETWORK_LENGTH, default="", db_default="")
    user_agent = models.CharField(max_length=USER_AGENT_LENGTH, default="", db_default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], name="users_session_expiry"),
            # the list of a user's sessions, however many of theirs have ended
            models.Index(fields=["user", "-created_at"], name="users_session_live", condition=Q(revoked_at=None)),
        ]

    def __str__(self) -> str:
        return str(self.id)


class RefreshToken(models.Model):
    """A refresh token by its digest; only its holder knows the token itself."""

    digest = models.CharField(max_length=64, primary_key=True)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="tokens")
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.digest[:8]}…"


class SecondFactor(models.Model):
    """What a user's authenticator app makes its codes of; in force once confirmed.

    The secret is encrypted (apps/core/crypto.py). No code of `last_step`, a number of time steps, or before it counts.
    `misses` are the wrong codes since the last right one.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="second_factor")
    secret = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0)
    misses = models.PositiveIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"second factor of {self.user_id}"


class RecoveryCode(models.Model):
    """A recovery code by its digest; deleted by its use."""

    digest = models.CharField(max_length=64, primary_key=True)
    factor = models.ForeignKey(SecondFactor, on_delete=models.CASCADE, related_name="recovery_codes")

    def __str__(self) -> str:
        return f"{self.digest[:8]}…"


class LoginAttempts(models.Model):
    """Failed logins of one address or one e-mail (by digest) in one minute."""

    key = models.CharField(max_length=64, primary_key=True)
    minute = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.key[:8]}… {self.count}"


class Erasure(WorkItem):
    """A deleted user who is being erased; gone with the last pass.

    `person` is who that was, encrypted, to look for them in what others keep. `holding` and `after` say where the
    present pass stands, `passes` how many are done.
    """

    user_id = models.BigIntegerField(unique=True)
    person = models.TextField(editable=False)
    holding = models.CharField(max_length=100, blank=True, default="", db_default="")
    after = models.CharField(max_length=100, blank=True, default="", db_default="")
    passes = models.PositiveSmallIntegerField(default=0, db_default=0)
    begun_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [models.Index(fields=["due_at", "id"], name="users_erasure_due")]

    def __str__(self) -> str:
        return f"user {self.user_id}"
