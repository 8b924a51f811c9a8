"""manage.py createsuperuser"""

from __future__ import annotations

from typing import Any

from apps.users.management.commands.create_user import Command as CreateUser


class Command(CreateUser):
    help = "Make a staff user, by the same rules as create_user --staff; there are no other permissions."
    example = "manage.py createsuperuser ada@example.com --name Ada --password-stdin < password.txt"

    def run(self, **options: Any) -> None:
        super().run(**{**options, "staff": True})
