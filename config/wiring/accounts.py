"""What answers the messages of accounts: passwords, addresses and the letters about them."""

from __future__ import annotations

from apps.core.bus import Bus
from apps.users import account_commands as accounts
from apps.users import letters
from apps.users.account_repositories import DjangoAccounts
from apps.users.accounts import Accounts
from apps.users.addresses import Addresses
from config.container import Container


def wire(container: Container, bus: Bus) -> None:
    """Register the handlers."""
    parts = (container.users, container.sessions, DjangoAccounts(), container.links)
    service = Accounts(*parts)
    bus.register(accounts.ChangePassword, service.change_password)
    bus.register(accounts.RequestPasswordReset, service.request_reset)
    bus.register(accounts.ConfirmPasswordReset, service.confirm_reset)
    addresses = Addresses(*parts, service, container.second_factors)
    bus.register(accounts.RequestVerification, addresses.request_verification)
    bus.register(accounts.VerifyEmail, addresses.verify)
    bus.register(accounts.RequestEmailChange, addresses.request_change)
    bus.register(accounts.UndoEmailChange, addresses.undo)
    bus.register(accounts.PruneEmailChanges, addresses.prune)
    bus.register(accounts.CheckLink, addresses.check_link)
    writing = letters.Letters(DjangoAccounts(), container.links, verifies=container.env.email_verification != "off")
    bus.register(letters.WriteWelcome, writing.welcome)
    bus.register(letters.WriteReset, writing.reset)
    bus.register(letters.WriteVerification, writing.verification)
    bus.register(letters.WriteChange, writing.change)
    bus.register(letters.WriteUndo, writing.undo)
    bus.register(letters.WriteUndone, writing.undone)
