"""URLs whose host cannot be a name."""

from __future__ import annotations

import pytest

from apps.core.errors import Invalid
from apps.webhooks.addresses import AddressPolicy

POLICY = AddressPolicy(allow_private=True)


@pytest.mark.parametrize("character", "!$&'()*+,;=~")
def test_a_host_has_no_character_that_no_name_has(character: str) -> None:
    with pytest.raises(Invalid, match="names a host that cannot exist"):
        POLICY.check_url(f"https://hooks{character}.example.com/in")


@pytest.mark.parametrize(
    "host", ["hooks.example.com", "my_host", "[2606:2800:21f::1]", "b\u00fccher.example", "xn--bcher-kva.example."]
)
def test_what_a_name_can_have_stays(host: str) -> None:
    POLICY.check_url(f"https://{host}/in?a=(1)*2;b='~'")
