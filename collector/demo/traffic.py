"""What the outside asks of the shop, and which calls must come of it. Sends requests; judges nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import httpx

WAREHOUSE = "warehouse"


class Call(NamedTuple):
    """One hop that a visit sets off; caller None is the outside. `spans`: how many see it."""

    caller: str | None
    callee: str
    spans: int = 2  # the caller's and the callee's; the edge adds two, the warehouse has none


class Visit(NamedTuple):
    """One request from outside, all calls that it sets off, and the rule that one of them breaks."""

    method: str
    path: str
    calls: tuple[Call, ...]
    body: Mapping[str, Any] | None = None
    fault: str | None = None


ENTRY = Call(None, "storefront", 3)
TO_CATALOG = Call("storefront", "catalog")
TO_ORDERS = Call("storefront", "orders")
CATALOG_TO_INVENTORY = Call("catalog", "inventory")
ORDERS_TO_INVENTORY = Call("orders", "inventory")
TO_BILLING = Call("orders", "billing")
TO_LEDGER = Call("billing", "ledger")

ORDER = {"item": "lamp", "amount": 129}

GOOD = (
    Visit("GET", "/", (ENTRY, TO_CATALOG, CATALOG_TO_INVENTORY)),
    Visit("GET", "/account", (ENTRY, TO_ORDERS)),
    Visit("POST", "/checkout", (ENTRY, TO_ORDERS, ORDERS_TO_INVENTORY, TO_BILLING, TO_LEDGER), ORDER),
    Visit("GET", "/inventory/stock", (Call(None, "inventory", 3),)),
)

# Each `path` leads to the handler of that name in `shop`, whose docstring begins with "Fault".
FAULTS = (
    Visit("GET", "/statement", (ENTRY, Call("storefront", "ledger")), fault="undeclared-call"),
    Visit("GET", "/availability", (ENTRY, TO_ORDERS, Call("orders", "inventory", 4)), fault="public-route"),
    Visit("GET", "/search?q=lamp", (ENTRY, TO_CATALOG, CATALOG_TO_INVENTORY), fault="broken-propagation"),
    Visit("POST", "/refund", (ENTRY, TO_ORDERS, TO_BILLING, TO_LEDGER), ORDER, fault="caller-mismatch"),
    Visit(
        "POST",
        "/restock",
        (ENTRY, TO_ORDERS, ORDERS_TO_INVENTORY, Call("inventory", WAREHOUSE, 1)),
        ORDER,
        fault="unknown-callee",
    ),
    Visit("GET", "/ledger/export", (Call(None, "ledger", 3),), fault="public-entry"),
)

ATTACKS: Final[Mapping[str, str]] = {
    "forged": "the orders' own token, signed by another key",
    "replayed": "a good request, sent a second time",
    "expired": "a token of an hour ago",
    "wrong-audience": "the orders' token for the billing",
    "wrong-certificate": "the catalog's token, on the orders' connection",
    "missing": "no token",
}
"""What the intruder of `shop` tries, by name."""

ROUNDS = 8
FAULTY_ROUNDS = 3  # the last of them


def visits(*, faults: bool) -> list[Visit]:
    """All requests of a run, in order."""
    faulty = FAULTS if faults else ()
    return [*GOOD * (ROUNDS - FAULTY_ROUNDS), *(GOOD + faulty) * FAULTY_ROUNDS]


def guarded_visits(*, attacks: bool) -> list[Visit]:
    """All requests of one act of the guarded shop, in order."""
    calls = {name: 2 if name == "replayed" else 1 for name in ATTACKS}
    tries = [
        Visit(
            "GET", f"/intruder/{name}", (ENTRY, TO_ORDERS, *[ORDERS_TO_INVENTORY] * calls[name]), fault=name
        )
        for name in ATTACKS
    ]
    return [*GOOD * FAULTY_ROUNDS, *(tries if attacks else ())]


def send(edge: str, planned: Iterable[Visit]) -> list[httpx.Response]:
    """Sends each request to the edge's HOST:PORT, one after the other. Raises `httpx.HTTPError` when one fails."""
    # trust_env: a proxy that the environment names is not for the loopback.
    with httpx.Client(base_url=f"http://{edge}", trust_env=False, timeout=10) as outside:
        return [
            outside.request(visit.method, visit.path, json=visit.body).raise_for_status() for visit in planned
        ]


def missing(
    planned: Iterable[Visit], hops: Sequence[Mapping[str, Any]], hosts: Mapping[str, str]
) -> Counter[Call]:
    """The calls of these visits that `hops` does not show yet with all their spans."""
    expected = Counter(
        # Nobody declared the warehouse: reports can only name its host.
        call._replace(callee=hosts[WAREHOUSE]) if call.callee == WAREHOUSE else call
        for visit in planned
        for call in visit.calls
    )
    return expected - Counter(Call(hop["caller"], hop["callee"], len(hop["evidence"])) for hop in hops)
