"""Where callees listen, as the authority's registry says, and as a file that Envoy reads whenever it is swapped."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Mapping
from typing import Any, Final

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.identity.spiffe import Service, parse_workload
from bindtrace.propagation.proxies.plan import Address, address

MAX_ROWS: Final = 100_000
_ASSIGNMENT: Final = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


def read(content: bytes) -> dict[Service, tuple[Address, ...]]:
    """The addresses of live deployments, active ones; those in grace only where nothing else is left.

    What is malformed is left out: half a registry is better than a caller that knows nobody.
    """
    try:
        rows = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    found: dict[Service, dict[str, list[Address]]] = {}
    for row in rows[:MAX_ROWS] if isinstance(rows, list) else []:
        if (read_row := _row(row)) is not None:
            service, state, addresses = read_row
            found.setdefault(service, {}).setdefault(state, []).extend(addresses)
    chosen = {service: of.get("active") or of.get("grace") or [] for service, of in found.items()}
    return {service: tuple(addresses) for service, addresses in chosen.items() if addresses}


def _row(row: Any) -> tuple[Service, str, list[Address]] | None:
    if not isinstance(row, dict) or not isinstance(row.get("addresses"), list):
        return None
    workload = parse_workload(str(row.get("id")))
    if isinstance(workload, Absent):
        return None
    addresses = []
    for text in row["addresses"]:
        try:
            addresses.append(address(str(text)))
        except Refusal:
            continue
    return workload.of_service, str(row.get("state")), addresses


def endpoints(cluster: str, addresses: Iterable[Address]) -> dict[str, Any]:
    """Envoy's endpoint discovery by file: numbers only, so names are looked up here; one without an answer is left."""
    numbers = sorted({found for wanted in addresses for found in _numbers(wanted)})
    lb_endpoints = [
        {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}
        for host, port in numbers
    ]
    assignment = {
        "@type": _ASSIGNMENT,
        "cluster_name": cluster,
        "endpoints": [{"lb_endpoints": lb_endpoints}],
    }
    return {"resources": [assignment]}


def _numbers(wanted: Address) -> list[tuple[str, int]]:
    try:
        answers = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [(str(answer[4][0]), wanted.port) for answer in answers[:16]]


def addresses_of(
    registry: Mapping[Service, tuple[Address, ...]], own: Service, names: Iterable[str]
) -> dict[str, Address]:
    """The first address of each of these services in the project and environment of `own`, where there is one."""
    wanted = {name: registry.get(own._replace(service=name)) for name in names}
    return {name: addresses[0] for name, addresses in wanted.items() if addresses}
