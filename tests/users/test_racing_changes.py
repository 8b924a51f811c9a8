"""If-Match under concurrency, over a real server."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from apps.core.bus import bus
from apps.users.commands import IssueToken, RegisterUser
from apps.users.models import User
from tests import loopback
from tests.processes import Processes


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_of_64_racing_changes_to_one_version_one_is_made(processes: Processes, version: str) -> None:
    user = bus.execute(RegisterUser("ada@example.com", "Ada"))
    address = f"{processes.web(DB_POOL_SIZE='8').url}/api/{version}/users/me"
    headers = {"Authorization": f"Bearer {bus.execute(IssueToken(user.email))}"}
    with loopback.client(headers=headers, timeout=30) as client:
        tag = client.get(address).headers["ETag"]

        def rename(number: int) -> int:
            return client.patch(address, json={"name": f"Ada {number}"}, headers={"If-Match": tag}).status_code

        with ThreadPoolExecutor(32) as pool:
            statuses = Counter(pool.map(rename, range(64)))
        assert statuses == {200: 1, 412: 63}
    assert User.objects.get().version == 2
