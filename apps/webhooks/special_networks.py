"""Networks that are not part of the public internet, or that lead from it to somewhere else.

Sources: IANA's special-purpose address registries, every row, whatever it says of "globally reachable": what is
reachable there is the nearest of many machines, or a sink, and never one endpoint.
https://www.iana.org/assignments/iana-ipv4-special-registry/
https://www.iana.org/assignments/iana-ipv6-special-registry/
Python's `is_global` differs between its versions, so it is not used.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

IPV4 = (
    "0.0.0.0/8",  # this network; 0.0.0.0 is this host
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # shared (carrier-grade NAT); 100.100.100.200 is Alibaba's metadata
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link-local; 169.254.169.254 is most clouds' metadata
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments: DS-Lite, 192.0.0.8, NAT64 discovery; 192.0.0.192 is Oracle's metadata
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # AMT relays
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarking
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
    # public by its number, and answered by the machine that a guest of Azure runs on
    "168.63.129.16/32",
)
# all that is assigned as global unicast; outside of it are loopback, unspecified, IPv4-mapped and -compatible, NAT64,
# discard, segment routing, unique local (with fd00:ec2::254, AWS's metadata), link-local, site-local, multicast
IPV6_GLOBAL = ipaddress.IPv6Network("2000::/3")
IPV6 = (
    "2001::/23",  # protocol assignments: Teredo, benchmarking, AMT, AS112, ORCHID, DRIP
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4: an IPv4 address inside
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
)
_IPV4 = tuple(map(ipaddress.IPv4Network, IPV4))
_IPV6 = tuple(map(ipaddress.IPv6Network, IPV6))


def is_public(address: Address) -> bool:
    """Whether `address` belongs to one machine on the public internet, as far as its number tells."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _IPV4)
    return address in IPV6_GLOBAL and not any(address in network for network in _IPV6)
