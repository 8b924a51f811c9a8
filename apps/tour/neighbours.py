"""Who is on the other end: the tour stops and kills processes, and no other account of the machine may have it do that.

A connection has no name, but Linux tells which account holds each of its ends.
Source: https://docs.kernel.org/networking/proc_net_tcp.html.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
REMOTE, STATE, ACCOUNT = 2, 3, 7
ESTABLISHED = "01"


def is_ours(address: str, port: int) -> bool:
    """Whether a client at `address` may use the tour's server on `port`: from this machine, and nobody else is there.

    True on a system that does not tell whose connections there are.
    """
    return ipaddress.ip_address(address).is_loopback and accounts_at(port) <= {0, os.geteuid()}


def accounts_at(port: int) -> set[int]:
    """The accounts that hold a connection of this machine to `port`."""
    suffix = f":{port:04X}"
    lines = [line.split() for table in TABLES if table.exists() for line in table.read_text().splitlines()[1:]]
    return {int(one[ACCOUNT]) for one in lines if one[REMOTE].endswith(suffix) and one[STATE] == ESTABLISHED}
