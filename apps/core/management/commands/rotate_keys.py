"""manage.py rotate_keys"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.core.bus import bus
from apps.core.cli import Command as BaseCommand
from apps.core.key_rotation import GetSigned, Rotated, RotateKeys, Signed

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
        rotated, signed = bus.execute(RotateKeys()), bus.ask(GetSigned())
        lost = any(one.lost for one in rotated)
        runs_out = max((one.lifetime for one in signed if one.lifetime), default=timedelta())
        ends = timezone.now() + runs_out
        if options["json"]:
            data = {
                "rotated": [
                    {"what": one.what, "re_encrypted": one.renewed, "lost": one.lost, "unreadable": one.unreadable}
                    for one in rotated
                ],
                "signed": [{"what": one.what, "seconds": _seconds(one)} for one in signed],
                "old_keys": len(settings.SECRET_KEY_FALLBACKS),
                "old_keys_can_go": not lost,
                "old_keys_can_go_at": None if lost else ends.isoformat(timespec="seconds"),
            }
            self.stdout.write(json.dumps(data, default=str, indent=2))
        else:
            table = [{"what": one.what, "re_encrypted": one.renewed, "unreadable": _unreadable(one)} for one in rotated]
            self.show(table, as_json=False)
            self.stdout.write(_verdict(signed, ends, lost=lost))
        if lost:
            sys.exit(UNREADABLE_STATUS)


def _seconds(signed: Signed) -> int | None:
    return None if signed.lifetime is None else int(signed.lifetime.total_seconds())


def _unreadable(one: Rotated) -> str:
    more = f" and {one.lost - len(one.unreadable)} more" if one.lost > len(one.unreadable) else ""
    return ", ".join(map(str, one.unreadable)) + more


def _verdict(signed: Sequence[Signed], ends: datetime, *, lost: bool) -> str:
    if lost:
        return (
            "The old keys must stay: what is unreadable needs another one. Add its key to SECRET_KEY_FALLBACKS and run"
            " this again; if it is lost, give those webhooks a new secret and remove those second factors"
            " (their recovery codes still work; kept answers go by themselves in a day)."
        )
    if not settings.SECRET_KEY_FALLBACKS:
        return "Everything is encrypted with SECRET_KEY, and there is no old key."
    lines = [f"  {one.what}: {one.lifetime}" for one in signed if one.lifetime]
    traded = ", ".join(one.what for one in signed if one.lifetime is None)
    return "\n".join(
        [
            "The old keys can go as far as encryption is concerned. What they signed runs out by itself:",
            *lines,
            f"If every process has the new key by now, empty SECRET_KEY_FALLBACKS after {ends:%Y-%m-%d %H:%M} UTC;"
            " sooner, and people log in again.",
            f"Not so {traded}: each answer gives a new one, and whoever brings one of a key that is gone starts again.",
        ]
    )
