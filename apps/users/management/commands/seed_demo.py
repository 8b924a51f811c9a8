"""manage.py seed_demo"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management.base import CommandError
from django.db import connection

from apps.core.bus import bus
from apps.core.cli import Command as BaseCommand
from apps.users.commands import RegisterUser
from apps.users.errors import EmailTaken
from apps.users.models import User

DEMO_EMAIL, DEMO_PASSWORD = "admin@example.com", "admin"
PEOPLE = [("grace@example.com", "Grace Hopper"), ("alan@example.org", "Alan Turing")]


class Command(BaseCommand):
    help = "Make the demo users once; for development only."
    example = "manage.py seed_demo"

    def run(self, **options: Any) -> None:
        if settings.PROFILE != "development":
            raise CommandError("seed_demo runs in development only: its password is known to everyone")
        if not demo_data_allowed():
            raise CommandError(
                "seed_demo writes only into the database that `make run` made: its password is known to everyone. "
                "A first user of your own: manage.py create_user ADDRESS --name NAME --staff --password-stdin"
            )
        if User.objects.with_email(DEMO_EMAIL).exists():
            self.stdout.write("the demo data is there already")
            return
        try:
            admin = bus.execute(RegisterUser(DEMO_EMAIL, "Admin", is_staff=True, verified=True))
        except EmailTaken:
            return
        # set without the validators, which rightly refuse it
        User.objects.filter(id=admin.id).update(password=make_password(DEMO_PASSWORD))
        for email, name in PEOPLE:
            bus.execute(RegisterUser(email, name))
        self.stdout.write(f"demo data: {DEMO_EMAIL} and {len(PEOPLE)} people")


def demo_data_allowed() -> bool:
    """Whether the database server is one that config.stack has started, which says so by a parameter."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('stack.demo_data', true)")
        return bool(cursor.fetchone() == ("allowed",))
