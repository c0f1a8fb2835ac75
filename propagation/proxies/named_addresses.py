"""`NAME=HOST:PORT`, as options of the command line say where callees listen. No I/O."""

from __future__ import annotations

from collections.abc import Iterable

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.proxies.plan import Address, address


def named(pairs: Iterable[str]) -> dict[str, Address]:
    """Address by name. Raises Refusal for what is no pair, or for a name that is there twice."""
    found: dict[str, Address] = {}
    for pair in pairs:
        name, separator, place = pair.partition("=")
        if not separator or name in found:
            raise Refusal(
                f"`--callee {pair}` is not one callee's address", fix="give NAME=HOST:PORT once a callee."
            )
        found[name] = address(place)
    return found
