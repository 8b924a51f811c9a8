"""Routes of users, under every version."""

from django.urls import path

from apps.users.api.account_views import (
    EmailChange,
    EmailUndo,
    EmailVerification,
    EmailVerificationResend,
    PasswordChange,
    PasswordReset,
    PasswordResetConfirm,
)
from apps.users.api.factor_views import Totp, TotpConfirm
from apps.users.api.import_view import UserImport
from apps.users.api.leaving_views import MeExport
from apps.users.api.session_views import LogOut, SessionDetail, Sessions
from apps.users.api.token_views import TokenObtain, TokenRefresh
from apps.users.api.views import Me, UserDetail, UserList

urlpatterns = [
    path("auth/password", PasswordChange.as_view(), name="password"),
    path("auth/password-reset", PasswordReset.as_view(), name="password-reset"),
    path("auth/password-reset/confirm", PasswordResetConfirm.as_view(), name="password-reset-confirm"),
    path("auth/email-verification", EmailVerification.as_view(), name="email-verification"),
    path("auth/email-verification/resend", EmailVerificationResend.as_view(), name="email-verification-resend"),
    path("auth/email", EmailChange.as_view(), name="email"),
    path("auth/email/undo", EmailUndo.as_view(), name="email-undo"),
    path("users", UserList.as_view(), name="users"),
    path("users/<key:user_id>", UserDetail.as_view(), name="user"),
    path("users/me", Me.as_view(), name="me"),
    path("users/me/export", MeExport.as_view(), name="me-export"),
    path("users/import", UserImport.as_view(), name="user-import"),
    path("auth/token", TokenObtain.as_view(), name="token"),
    path("auth/token/refresh", TokenRefresh.as_view(), name="token-refresh"),
    path("auth/sessions", Sessions.as_view(), name="sessions"),
    path("auth/sessions/<any_case_uuid:session_id>", SessionDetail.as_view(), name="session"),
    path("auth/logout", LogOut.as_view(), name="logout"),
    path("auth/totp", Totp.as_view(), name="totp"),
    path("auth/totp/confirm", TotpConfirm.as_view(), name="totp-confirm"),
]
