"""manage.py rotate_keys"""

from __future__ import annotations

import json
import sys
from typing import Any

from django.conf import settings

from apps.core.bus import bus
from apps.core.cli import Command as BaseCommand
from apps.core.key_rotation import RotateKeys

UNREADABLE_STATUS = 3


class Command(BaseCommand):
    help = (
        "Encrypt what an old SECRET_KEY closed with the new one, and say whether the old one can go. Set the new key"
        " as SECRET_KEY, the old one as SECRET_KEY_FALLBACKS, restart every process, and then run this. The status is"
        f" {UNREADABLE_STATUS} if something could not be opened with any of them."
    )
    example = "manage.py rotate_keys --json"
    prints_data = True

    def run(self, **options: Any) -> None:
        rotated = bus.execute(RotateKeys())
        lost = any(one.unreadable for one in rotated)
        if options["json"]:
            rows = [{"what": one.what, "re_encrypted": one.renewed, "unreadable": one.unreadable} for one in rotated]
            data = {"rotated": rows, "old_keys": len(settings.SECRET_KEY_FALLBACKS), "old_keys_can_go": not lost}
            self.stdout.write(json.dumps(data, default=str, indent=2))
        else:
            table = [
                {"what": one.what, "re_encrypted": one.renewed, "unreadable": ", ".join(map(str, one.unreadable))}
                for one in rotated
            ]
            self.show(table, as_json=False)
            self.stdout.write(_verdict(lost=lost))
        if lost:
            sys.exit(UNREADABLE_STATUS)


def _verdict(*, lost: bool) -> str:
    if lost:
        return (
            "The old keys must stay: what is unreadable needs another one. Add its key to SECRET_KEY_FALLBACKS and run"
            " this again; if it is lost, give those webhooks a new secret and remove those second factors"
            " (their recovery codes still work; kept answers go by themselves in a day)."
        )
    if not settings.SECRET_KEY_FALLBACKS:
        return "Everything is encrypted with SECRET_KEY, and there is no old key."
    minutes = settings.ACCESS_TOKEN_EXPIRE_MINUTES
    hours = settings.SESSION_COOKIE_AGE // 3600
    return (
        "The old keys can go as far as encryption is concerned. They still sign people in: empty SECRET_KEY_FALLBACKS"
        f" {minutes} minutes after the last process with the old key has stopped (access tokens) or {hours} hours after"
        " it (the admin's log-ins); sooner, and people log in again."
    )
