"""However much waits for one endpoint, and however much was sent to it: a look and a claim read a few pages."""

from __future__ import annotations

from functools import partial

import pytest
from django.db import connection

from apps.webhooks.models import Endpoint
from apps.webhooks.repositories import SendQueue
from apps.webhooks.secrets import SecretBox
from tests.costs import look_of, pages, statements

SETTLED, ALL = 20_000, 30_000
# the first were settled long ago
MESSAGES = """
    INSERT INTO webhooks_webhookdelivery (endpoint_id, bulk, message_id, event_type, body, request_id, state, attempts,
        last_error, log, due_at, settled_at)
    SELECT %s, %s, 'evt_' || n, 'user.created', '{"email": "n@e.com"}', '',
        CASE WHEN n <= %s THEN 'delivered' ELSE 'pending' END, 0, '', '[]',
        CASE WHEN n > %s THEN statement_timestamp() END, NULL
    FROM generate_series(1, %s) n"""


@pytest.mark.parametrize("bulk", [True, False])
def test_of_one_endpoint(transactional_db: None, bulk: bool) -> None:
    endpoint = Endpoint.objects.create(url="http://127.0.0.1:1/", secret="")
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES, [endpoint.id, bulk, SETTLED, SETTLED, ALL])
        cursor.execute("VACUUM (ANALYZE) webhooks_webhookdelivery")
    read = {one: pages(one) for one in statements(look_of("webhooks.send"), "webhooks_")}
    claim = partial(SendQueue(SecretBox("key")).claim, 20, failing=False)
    read |= {one: pages(one) for one in statements(claim, "webhooks_")}
    assert len(read) == 2
    assert {one: n for one, n in read.items() if n > 250} == {}
