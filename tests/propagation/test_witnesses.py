"""Identities that certificates and tokens carry, as their senders write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindtrace.propagation.witnesses import witness_of

OURS = "spiffe://shop.example/project/p1/env/prod/service/orders/deployment/d7"


@pytest.mark.parametrize(
    ("text", "service"),
    [
        (OURS, "orders"),
        ("spiffe://cluster.local/ns/shop/sa/orders", "orders"),
        ("orders.shop.serviceaccount.identity.linkerd.cluster.local", "orders"),
        ("spiffe://example.org/payments/web", None),
        (f"By=spiffe://a/ns/b/sa/c;Hash=ab;Subject=\"CN=x,O=y;URI=z\";URI={OURS}", "orders"),
        ("By=x;URI=spiffe://t/ns/n/sa/first,By=y;URI=spiffe://t/ns/n/sa/gateway", "gateway"),
    ],
)  # fmt: skip
def test_an_identity_names_a_service_as_its_issuer_writes_it(text: str, service: str | None) -> None:
    found = witness_of(text)

    assert found is not None
    assert found.service == service


def test_a_deployment_is_told_apart_from_the_subject() -> None:
    found = witness_of(OURS)

    assert found is not None
    assert (found.environment, found.deployment) == ("prod", "d7")
    assert found.subject == "spiffe://shop.example/project/p1/env/prod/service/orders"


@pytest.mark.parametrize("text", ["", "By=x;Hash=ab;URI=", "spiffe://", "spiffe://t/a b", "x" * 9000])
def test_what_is_no_identity_is_nobody(text: str) -> None:
    assert witness_of(text) is None


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    witness_of(text)
