"""Classes of hosts and addresses: one function for the whole project. No I/O, no name is resolved.

Python calls 100.64/10 neither private nor global, and calls NAT64 and 6to4 addresses global
although they embed a private one: both are settled here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple

HostClass = Literal[
    "loopback", "link_local", "private", "shared", "internal_name", "global", "unspecified",
    "declared_internal", "declared_public", "egress",
]  # fmt: skip
"""The last three are of addresses in a declared range, which an address alone does not show."""

_SHARED: Final = ipaddress.ip_network("100.64.0.0/10")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_INTERNAL_SUFFIXES: Final = (
    ".internal", ".local", ".localdomain", ".lan", ".home.arpa", ".svc", ".cluster.local", ".intranet", ".corp",
    ".private", ".test", ".localhost",
)  # fmt: skip

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


_DECLARED: Final[dict[str, HostClass]] = {
    "internal": "declared_internal",
    "public": "declared_public",
    "egress": "egress",
}
"""What an address of a declared range is, by the kind of the range."""


class Range(NamedTuple):
    """A declared range: its addresses are of `host_class`, and where that is `egress` those of `service`."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    host_class: HostClass
    service: str | None


def declared_ranges(rows: Iterable[tuple[str, str, str | None]]) -> tuple[Range, ...]:
    """(CIDR, kind, service) as manifests declare them, narrowest first. Raises `ValueError` for what is no CIDR."""
    ranges = [Range(ipaddress.ip_network(cidr, strict=False), _DECLARED[kind], s) for cidr, kind, s in rows]
    return tuple(sorted(ranges, key=lambda one: -one.network.prefixlen))


def declared_range(host: str, ranges: Sequence[Range]) -> Range | None:
    """The narrowest declared range that a host is an address of; None for names and for all other addresses."""
    if not ranges:
        return None
    try:
        address = _unwrap(ipaddress.ip_address(bare_host(host)))
    except ValueError:
        return None
    return next((one for one in ranges if address in one.network), None)


def within(host: str, cidrs: tuple[str, ...]) -> bool:
    """Whether a host is an address of one of these ranges; a name is of none. Raises `ValueError` for no CIDR."""
    if not cidrs:
        return False
    return declared_range(host, declared_ranges((cidr, "internal", None) for cidr in cidrs)) is not None


@lru_cache(maxsize=65536)
def host_class(host: str) -> HostClass:
    """The class of a host name or address, with or without port; anything odd is `unspecified`, never an error."""
    name = bare_host(host)
    try:
        address = _unwrap(ipaddress.ip_address(name))
    except ValueError:
        return _name_class(name)
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link_local"
    if address.version == 4 and address in _SHARED:
        return "shared"
    if address.is_unspecified or address.is_multicast or address.is_reserved:
        return "unspecified"
    return "global" if address.is_global else "private"


def bare_host(host: str) -> str:
    """Lower-case host without port, brackets, zone or trailing dot."""
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    return name.partition("%")[0].rstrip(".")


def _unwrap(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped, NAT64 or 6to4 address, else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if address.sixtofour is not None:
            return address.sixtofour
    return address


def _name_class(name: str) -> HostClass:
    if not name or any(character in name for character in " /|?#@"):
        return "unspecified"
    if name == "localhost":
        return "loopback"
    if "." not in name or name.endswith(_INTERNAL_SUFFIXES):
        return "internal_name"
    return "global"
