"""Webhooks, as the AsyncAPI document describes them."""

from __future__ import annotations

from typing import Annotated, TypedDict

from apps.events.description import Channel, describe
from apps.webhooks.events import WebhookTested
from apps.webhooks.messages import Body

# what apps/webhooks/secrets.py signs with
Headers = TypedDict(
    "Headers",
    {
        "webhook-id": Annotated[
            str,
            {
                "description": "The same at each attempt and each endpoint: keep it, to do nothing twice. Of an event"
                " that the feed has too, it is `evt_` and the id there.",
                "examples": ["evt_41"],
            },
        ],
        "webhook-timestamp": Annotated[
            str,
            {
                "description": "When this attempt was made, in seconds since 1970; refuse what is minutes off.",
                "pattern": "^[0-9]+$",
                "examples": ["1795510800"],
            },
        ],
        "webhook-signature": Annotated[
            str,
            {
                "description": "`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64; several, apart by spaces,"
                " while a secret is replaced.",
                "pattern": "^v1,[A-Za-z0-9+/]+=*( v1,[A-Za-z0-9+/]+=*)*$",
                "examples": ["v1,5Vt8Qx1fN0n1cYwzYpVb3c2m3v0m6bq0k0u0Jr6c8aE="],
            },
        ],
    },
)

describe(
    Channel(
        name="webhooks",
        title="Webhooks",
        description=(
            "POST to each active endpoint that wants the type, by the Standard Webhooks specification"
            " (https://www.standardwebhooks.com): check the signature with the endpoint's secret before you read the"
            " body. 2xx within 15 s is success; anything else is tried again, by default for a day, and 410 ends it. A"
            " message comes at least once, and messages may overtake each other."
        ),
        address=None,
        server={
            "host": "{host}",
            "protocol": "https",
            "description": "The host of the URL that was registered by POST /webhooks.",
            "variables": {"host": {"default": "hooks.example.com"}},
        },
        operation={
            "title": "Send a webhook",
            "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
        },
        envelope=Body,
        headers=Headers,
        also=(WebhookTested,),
    )
)
