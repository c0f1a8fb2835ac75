"""Concepts: what senders spell differently lands in one column, and nothing they write raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindtrace.collector.otlp.concepts import SPAN_COLUMNS, resource_columns, span_columns
from bindtrace.propagation.concepts import RESOURCE_CONCEPTS, SPAN_CONCEPTS

CHAIN = "5b8efff798038103d269b633813fc60c"


def columns(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in zip(SPAN_COLUMNS, span_columns(values), strict=True)
        if value is not None
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"http.method": "GET"}, {"http_method": "GET"}),
        ({"http.method": "GET", "http.request.method": "PUT"}, {"http_method": "PUT"}),
        ({"http.request.method": "", "http.method": "GET"}, {"http_method": "GET"}),
        ({"http.status_code": "200"}, {"http_status": 200}),
        ({"http.response.status_code": 503.0}, {"http_status": 503}),
        ({"http.status_code": 70000}, {}),
        ({"http.status_code": -1}, {}),
        ({"http.status_code": "ok"}, {}),
        ({"http.status_code": True}, {}),
        ({"http.response.status_code": "?", "http.status_code": 404}, {"http_status": 404}),
        ({"http.target": "/a/b?token=1#x"}, {"url_path": "/a/b"}),
        ({"http.route": ["/a"]}, {"http_route": '["/a"]'}),
        ({"peer.service": {"a": 1}}, {"peer_service": '{"a":1}'}),
        ({"guid:x-request-id": "r1"}, {"request_id": "r1"}),
        ({"http.request.header.x-request-id": ["r1", "r2"]}, {"request_id": "r1"}),
        ({"upstream_address": "127.0.0.1:9002"}, {"network_peer_address": "127.0.0.1"}),
        ({"network.peer.address": "2001:DB8::1"}, {"network_peer_address": "2001:db8::1"}),
        ({"client.address": "[::1]:80"}, {"client_address": "::1"}),
        ({"http.request.resend_count": 2}, {"resend_count": 2}),
    ],
)
def test_a_column_is_the_best_usable_synonym(values: dict[str, Any], expected: dict[str, Any]) -> None:
    assert columns(values) == expected


@pytest.mark.parametrize(
    ("url", "host", "scheme", "path"),
    [
        ("https://API.Example.com/v1?q=1", "api.example.com", "https", "/v1"),
        ("http://ledger.internal:9106/x", "ledger.internal:9106", "http", "/x"),
        ("http://ledger:80", "ledger", "http", "/"),
        ("https://ledger:80/", "ledger:80", "https", "/"),
        ("https://user:pass@ledger:443/", "ledger", "https", "/"),
        ("http://[::1]:8080/a", "[::1]:8080", "http", "/a"),
        ("http://ledger.?q", "ledger", "http", "/"),
    ],
)
def test_a_url_gives_authority_scheme_and_path(url: str, host: str, scheme: str, path: str) -> None:
    assert columns({"url.full": url}) == {"server_host": host, "url_scheme": scheme, "url_path": path}


@pytest.mark.parametrize(
    ("values", "host"),
    [
        ({"server.address": "127.0.0.1", "server.port": 9106}, "127.0.0.1:9106"),
        ({"server.address": "ledger", "server.port": 443}, "ledger"),
        ({"server.address": "ledger", "server.port": 443, "url.scheme": "http"}, "ledger:443"),
        ({"net.peer.name": "ledger", "net.peer.port": "8080"}, "ledger:8080"),
        ({"server.address": "ledger:8080", "server.port": 1}, "ledger:8080"),
        ({"server.address": "::1", "server.port": 8080}, "[::1]:8080"),
        ({"http.host": "Shop.Example:8443"}, "shop.example:8443"),
        ({"http.request.header.host": ["shop.example"]}, "shop.example"),
        ({"server.address": "/run/app.sock", "http.host": "app"}, "app"),
    ],
)
def test_an_address_is_joined_with_its_port(values: dict[str, Any], host: str) -> None:
    assert columns(values)["server_host"] == host


@pytest.mark.parametrize(
    "key", ["http.request.header.service-binding", "http.request.header.service_binding"]
)
@pytest.mark.parametrize("in_a_list", [True, False])
def test_a_captured_header_claims_what_the_span_does_not(key: str, in_a_list: bool) -> None:
    header = f'orders.ledger;caller="orders";callee="ledger";chain="{CHAIN}";hop=2;env="prod";deployment="d1"'

    assert columns({key: [header] if in_a_list else header}) == {
        "claimed_caller": "orders",
        "claimed_callee": "ledger",
        "claimed_chain": CHAIN,
        "claimed_hop": 2,
        "claimed_env": "prod",
        "claimed_deployment": "d1",
    }


def test_a_stamped_claim_is_not_overruled_by_a_captured_header() -> None:
    header = f'a.b;caller="a";chain="{CHAIN}"'

    found = columns({"bindtrace.caller.claimed": "web", "http.request.header.service-binding": header})

    assert found == {"claimed_caller": "web"}


@pytest.mark.parametrize("captured", [[], ["x", "y"], "nonsense", 7, None, {"a": 1}])
def test_a_captured_header_that_is_no_binding_claims_nothing(captured: Any) -> None:
    assert columns({"http.request.header.service-binding": captured}) == {}


def test_a_resource_is_named_by_its_best_attribute() -> None:
    values = {"faas.name": "fn", "service.name": "orders", "deployment.environment": "prod"}

    found = dict(
        zip((concept.column for concept in RESOURCE_CONCEPTS), resource_columns(values), strict=True)
    )

    assert (found["service"], found["environment"], found["platform"]) == ("orders", "prod", None)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_KEYS = sorted({key for concept in SPAN_CONCEPTS for key in concept.keys} | {"server.port", "net.peer.port"})


@settings(deadline=None, max_examples=200)
@given(values=st.dictionaries(st.sampled_from(_KEYS), _ANY, max_size=6))
def test_no_value_raises_and_integers_stay_small(values: dict[str, Any]) -> None:
    for concept, value in zip(SPAN_CONCEPTS, span_columns(values), strict=True):
        assert value is None or isinstance(value, int if concept.form == "integer" else str)
        assert not isinstance(value, int) or 0 <= value < 2**16
