"""What the users' use cases refuse."""

from apps.core.errors import Conflict, NotAllowed, NotAuthenticated
from apps.users.commands import Login

WRONG_CODE = "The code is wrong, or was used before; wait for the next one."


class EmailTaken(Conflict):
    """Another user has this e-mail, in whatever letter case."""

    code = "email_taken"

    def __init__(self) -> None:
        super().__init__("There is already a user with this e-mail; log in, or use another.")


class NotKept(Conflict):
    """The database cannot keep the values of a user; nothing of what came with them was kept either."""

    code = "not_kept"

    def __init__(self) -> None:
        super().__init__("The database cannot keep these values.")


class LastStaff(Conflict):
    """No active staff user would be left, and nobody could make another one."""

    code = "last_staff"

    def __init__(self) -> None:
        super().__init__("This is the last active staff user; make another one before this one goes.")


class WrongCredentials(NotAuthenticated):
    """No active user has this e-mail and password; the answer does not tell which of the two is wrong."""

    code = "wrong_credentials"

    def __init__(self) -> None:
        super().__init__("The e-mail or the password is wrong.")


class InvalidToken(NotAuthenticated):
    """A token is malformed, forged, expired, of the wrong kind, or withdrawn."""

    code = "invalid_token"


class DeadLink(InvalidToken):
    """The token of a link in a mail is damaged, used or expired, or what it is about was changed since it was sent."""

    code = "invalid_token"

    def __init__(self) -> None:
        super().__init__("The link is damaged, used, expired or overtaken by a later change; ask for a new one.")


class WrongPassword(NotAllowed):
    """The password that a change of one's own account needs is not the caller's."""

    code = "wrong_password"

    def __init__(self) -> None:
        super().__init__("This is not your password.")


class EmailUnverified(NotAllowed):
    """Whoever logs in has to confirm their address first: EMAIL_VERIFICATION is `required`."""

    code = "email_unverified"

    def __init__(self) -> None:
        super().__init__(
            "Confirm your address first, by the link in the mail; POST /auth/email-verification/resend sends another."
        )


class NoSession(Conflict):
    """The token belongs to no session, so there is nothing to log out of: it ends by itself, at the time in `exp`."""

    code = "no_session"

    def __init__(self) -> None:
        super().__init__("This token belongs to no session; it ends by itself when it expires.")


class OtpRequired(NotAuthenticated):
    """The password is right, and the user has a second factor: send the same again with `otp`, a code of it."""

    code = "otp_required"

    def __init__(self) -> None:
        super().__init__("A code of your second factor is needed as well; a recovery code will do.")


class WrongOtp(NotAuthenticated):
    """The code that came with a log-in is not one of the user's second factor at this time, or was used before."""

    code = "wrong_otp"

    def __init__(self, detail: str = WRONG_CODE) -> None:
        super().__init__(detail)


class WrongCode(NotAllowed):
    """The code that a change of the second factor needs is not one of it at this time, or was used before."""

    code = "wrong_code"

    def __init__(self, detail: str = WRONG_CODE) -> None:
        super().__init__(detail)


class OtpEnrolmentRequired(NotAllowed):
    """Staff need a second factor here (STAFF_OTP_REQUIRED), and this user has none: the admin's log-in sets one up.

    `login` is whose password was right, at a log-in.
    """

    meaning = "Staff need a second factor here, and this user has none: the log-in at /admin/ sets one up."

    code = "otp_enrolment_required"

    def __init__(self, login: Login | None = None) -> None:
        self.login = login
        super().__init__("Staff need a second factor here; log in at /admin/, which sets one up, and come back.")


class TotpEnabled(Conflict):
    """The user has a second factor already."""

    code = "totp_enabled"

    def __init__(self) -> None:
        super().__init__("There is a second factor already; remove it first, by one of its codes.")


class TotpNotBegun(Conflict):
    """There is no secret to confirm."""

    code = "totp_not_begun"

    def __init__(self) -> None:
        super().__init__("There is no secret to confirm; ask for one first, at POST /auth/totp.")


class TotpNotEnabled(Conflict):
    """The user has no second factor."""

    code = "totp_not_enabled"

    def __init__(self) -> None:
        super().__init__("There is no second factor.")
