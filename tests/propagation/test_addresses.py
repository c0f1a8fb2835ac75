"""Classes of hosts and addresses, and those that look like another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindtrace.propagation.addresses import bare_host, host_class


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:9106", "loopback"),
        ("[::1]:80", "loopback"),
        ("localhost:3000", "loopback"),
        ("10.1.2.3", "private"),
        ("192.168.0.1:80", "private"),
        ("fd00::1", "private"),
        ("169.254.169.254", "link_local"),
        ("fe80::1%eth0", "link_local"),
        ("100.64.1.1", "shared"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b::8.8.8.8", "global"),
        ("2002:0a00:0001::1", "private"),
        ("::ffff:10.0.0.1", "private"),
        ("8.8.8.8", "global"),
        ("2606:4700::1111", "global"),
        ("0.0.0.0", "unspecified"),
        ("ledger", "internal_name"),
        ("ledger.shop.svc.cluster.local:8080", "internal_name"),
        ("LEDGER.Internal.", "internal_name"),
        ("api.stripe.com:443", "global"),
        ("outbound|9080||reviews.default", "unspecified"),
        ("", "unspecified"),
    ],
)
def test_a_host_has_one_class(host: str, expected: str) -> None:
    assert host_class(host) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("Shop.Example:8080", "shop.example"), ("[fd00::1]:80", "fd00::1"), ("fd00::1", "fd00::1"), ("a.", "a")],
)
def test_a_bare_host_has_no_port(host: str, expected: str) -> None:
    assert bare_host(host) == expected


@given(st.text())
def test_no_text_is_an_error(host: str) -> None:
    assert host_class(host)
