"""Envoy's own configuration as policies: RBAC filters in their order, client certificates, filters that ask others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import fixture

from bindtrace.propagation.platforms import envoy, read_manifest
from bindtrace.propagation.policies import Policies, policies_of
from bindtrace.propagation.workloads import Call

CONFIG = """
node: {id: n1}
static_resources:
  listeners:
  - name: ingress
    address: {socket_address: {address: 0.0.0.0, port_value: 10001}}
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context:
            validation_context:
              match_typed_subject_alt_names:
              - {san_type: URI, matcher: {prefix: "spiffe://corp.internal/"}}
      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          tracing:
            provider:
              name: envoy.tracers.opentelemetry
              typed_config: {service_name: orders}
          http_filters:
          - name: envoy.filters.http.rbac
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
              rules:
                action: ALLOW
                policies:
                  edge-to-orders:
                    permissions: [{header: {name: ":method", string_match: {exact: GET}}}]
                    principals: [{authenticated: {principal_name: {exact: "spiffe://corp.internal/gw/edge"}}}]
"""
SAN_LINE, RULES_LINE, RULE_LINE = (
    next(n for n, line in enumerate(CONFIG.splitlines(), 1) if line.strip() == word)
    for word in ("match_typed_subject_alt_names:", "rules:", "edge-to-orders:")
)
EDGE = "spiffe://corp.internal/gw/edge"


def read(text: str) -> Policies:
    return policies_of([envoy.read(Path("envoy.yaml"), text)])


def problems(text: str) -> list[tuple[int, str, bool]]:
    return [(p.line, p.code, p.fatal) for p in envoy.read(Path("envoy.yaml"), text).problems]


def call(**shown: Any) -> Call:
    return Call("orders", **{"protection": "mtls", "caller_id": EDGE, "method": "GET", **shown})


def attributes(span: dict[str, Any]) -> dict[str, str]:
    return {a["key"]: a["value"].get("stringValue", "") for a in span["attributes"]}


def captured(name: str) -> list[dict[str, str]]:
    """The attributes of the spans that the callee's own Envoy made, as received over OTLP from Envoy 1.40."""
    sent = json.loads(fixture(f"captured/{name}").read_text())
    found = []
    for resource in sent["resourceSpans"] if isinstance(sent, dict) else sent:
        for scope in resource["scopeSpans"]:
            found += [attributes(span) for span in scope["spans"] if span["name"] == "orders ingress"]
    return found


@pytest.mark.parametrize(
    ("name", "verdicts"),
    [
        ("envoy-span.json", {("200", "allowed")}),
        # 401: a token was missing, which this filter does not ask for
        ("envoy-denied-spans.json", {("401", "allowed"), ("403", "denied")}),
    ],
)
def test_what_a_real_envoy_refused_is_denied(name: str, verdicts: set[tuple[str, str]]) -> None:
    seen = captured(name)

    ruled = {
        (
            span["http.status_code"],
            read(CONFIG).judge(call(caller_id=span["tls.client.spiffe"], method=span["http.method"])).verdict,
        )
        for span in seen
    }

    assert ruled == verdicts


def test_the_line_is_the_policys_or_that_of_the_rules() -> None:
    policies = read(CONFIG)

    assert policies.judge(call()).line == RULE_LINE
    assert policies.judge(call(method="POST")).line == RULES_LINE
    assert policies.judge(call(caller_id="spiffe://elsewhere/x")).line == SAN_LINE


def test_a_filter_that_asks_somebody_else_makes_the_rest_unknown() -> None:
    asking = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"
    policies = read(
        CONFIG.replace("http_filters:\n", f'http_filters:\n          - typed_config: {{"@type": {asking}}}\n')
    )

    assert policies.judge(call()).missing == ("the answer of external authorization's authorizer",)
    assert policies.judge(call(method="POST")).verdict == "denied"


def test_shadow_rules_and_logging_judge_nothing() -> None:
    shadow = read(CONFIG.replace("              rules:", "              shadow_rules:"))
    logging = read(CONFIG.replace("action: ALLOW", "action: LOG"))

    assert (
        shadow.judge(call(method="POST")).verdict == logging.judge(call(method="POST")).verdict == "allowed"
    )


def test_a_route_with_rules_of_its_own_makes_it_unknown() -> None:
    own = "          route_config: {virtual_hosts: [{typed_per_filter_config: {envoy.filters.http.rbac: {}}}]}\n"
    text = CONFIG.replace("          http_filters:", f"{own}          http_filters:")

    assert read(text).judge(call(method="POST")).verdict == "unknown"
    assert problems(text) == [(19, "ROUTE_RBAC", False)]


def test_without_a_tracer_the_service_is_the_nodes_cluster() -> None:
    unnamed = CONFIG.replace("service_name: orders", "")
    by_cluster = unnamed.replace("{id: n1}", "{id: n1, cluster: orders}")

    assert read(by_cluster).judge(call(method="POST")).verdict == "denied"
    assert read(unnamed).judge(call(method="POST")).reason == "no_manifest"
    assert problems(unnamed.replace("node: {id: n1}", "node: {}"))[0][1:] == ("NO_SERVICE", False)


def test_a_dump_of_a_running_envoy_is_read_in_either_spelling() -> None:
    from bindtrace.propagation.platforms.yaml_lines import load_all

    config = load_all(CONFIG)[0].root
    listener = config["static_resources"]["listeners"][0]
    dump = {
        "configs": [
            {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": {"node": {}}},
            {
                "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
                "dynamic_listeners": [{"active_state": {"listener": listener}}],
            },
        ]
    }
    text = json.dumps(dump, indent=1)
    camel = text
    for snake, other in (
        ("http_filters", "httpFilters"),
        ("typed_config", "typedConfig"),
        ("filter_chains", "filterChains"),
        ("principal_name", "principalName"),
        ("string_match", "stringMatch"),
    ):
        camel = camel.replace(snake, other)

    for written in (text, camel):
        assert read(written).judge(call()).verdict == "allowed"
        assert read(written).judge(call(method="POST")).verdict == "denied"


RBAC = """
static_resources:
  listeners:
  - filter_chains:
    - filters:
      - typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC
          rules:
            policies:
              one: {{permissions: [{permission}], principals: [{principal}]}}
node: {{cluster: orders}}
"""


@pytest.mark.parametrize(
    ("permission", "shown", "verdict"),
    [
        ("{any: true}", {}, "allowed"),
        ("{any: false}", {}, "denied"),
        ("{url_path: {path: {prefix: /v1/}}}", {"path": "/v1/x"}, "allowed"),
        ("{url_path: {path: {contains: ADMIN, ignore_case: true}}}", {"path": "/x/admin/y"}, "allowed"),
        ("{url_path: {path: {safe_regex: {regex: '/v[0-9]/.*'}}}}", {"path": "/v1/x"}, "allowed"),
        ("{url_path: {path: {safe_regex: {regex: '(/v[0-9])+'}}}}", {"path": "/v1/x"}, "unknown"),
        ("{header: {name: ':path', prefix_match: /v1/}}", {"path": "/v1/x"}, "allowed"),
        ("{header: {name: ':path', exact_match: /v1/x}}", {"path": "/v1/x"}, "unknown"),
        ("{header: {name: ':path', exact_match: /v1/x}}", {"path": "/v2"}, "denied"),
        ("{header: {name: ':method', exact_match: PUT, invert_match: true}}", {"method": "GET"}, "allowed"),
        ("{header: {name: ':authority', suffix_match: .shop}}", {"host": "api.shop"}, "allowed"),
        ("{header: {name: x-team, present_match: true}}", {}, "unknown"),
        ("{destination_port: 8080}", {"port": "8080"}, "allowed"),
        ("{destination_port_range: {start: 80, end: 90}}", {"port": "90"}, "denied"),
        ("{metadata: {filter: x}}", {}, "unknown"),
        ("{and_rules: {rules: [{any: true}, {destination_port: 1}]}}", {"port": "2"}, "denied"),
        ("{or_rules: {rules: [{any: true}, {destination_port: 1}]}}", {"port": "2"}, "allowed"),
        ("{not_rule: {destination_port: 1}}", {"port": "2"}, "allowed"),
        ("{}", {}, "denied"),
    ],
)
def test_permissions(permission: str, shown: dict[str, str], verdict: str) -> None:
    text = RBAC.format(permission=permission, principal="{any: true}")

    assert read(text).judge(call(**shown)).verdict == verdict


@pytest.mark.parametrize(
    ("principal", "shown", "verdict"),
    [
        ("{authenticated: {}}", {}, "allowed"),
        ("{authenticated: {}}", {"caller_id": None, "protection": "plaintext"}, "denied"),
        ("{authenticated: {principal_name: {suffix: /edge}}}", {}, "allowed"),
        ("{not_id: {authenticated: {principal_name: {exact: x}}}}", {}, "allowed"),
        (
            "{direct_remote_ip: {address_prefix: 10.0.0.0, prefix_len: 8}}",
            {"source_address": "10.1.1.1"},
            "allowed",
        ),
        (
            "{direct_remote_ip: {address_prefix: 10.0.0.0, prefix_len: {value: 8}}}",
            {"source_address": "11.1.1.1"},
            "denied",
        ),
        ("{remote_ip: {address_prefix: 10.0.0.0, prefix_len: 8}}", {"source_address": "10.1.1.1"}, "unknown"),
        ("{or_ids: {ids: [{any: true}]}}", {}, "allowed"),
        ("{and_ids: {ids: [{any: true}, {filter_state: {key: x}}]}}", {}, "unknown"),
    ],
)
def test_principals(principal: str, shown: dict[str, str], verdict: str) -> None:
    text = RBAC.format(permission="{any: true}", principal=principal)

    assert read(text).judge(call(**shown)).verdict == verdict


def test_an_expression_that_is_not_followed_is_told_with_its_line() -> None:
    text = RBAC.format(
        permission="{url_path: {path: {safe_regex: {regex: '(/v[0-9])+'}}}}", principal="{any: true}"
    )

    assert problems(text) == [(10, "REGEX", False)]


def test_public_names_that_a_listener_answers_to_are_public_ways_to_its_service() -> None:
    domains = "[Shop.example, '*.shop.example:443', '*', orders.internal, 'shop.*']"
    hosts = f"          route_config: {{virtual_hosts: [{{domains: {domains}}}]}}\n"

    one = envoy.read(
        Path("envoy.yaml"), CONFIG.replace("          http_filters:", f"{hosts}          http_filters:")
    )

    public = ["shop.example", "*.shop.example:443"]
    assert [(e.service, e.host, e.kind) for e in one.exposures] == [
        ("orders", host, "listener") for host in public
    ]
    assert [(host.host, host.service, host.road) for host in one.hosts] == [
        (h, "orders", "public") for h in public
    ]


def test_an_envoy_that_asks_nothing_is_told() -> None:
    assert problems("static_resources: {listeners: []}") == [(1, "NOTHING_ASKED", False)]


@pytest.mark.parametrize(
    "text",
    [
        "static_resources: 3",
        "static_resources: {listeners: [3, {filter_chains: {a: b}}, {filter_chains: [{filters: [null]}]}]}",
        '{"configs": [{"@type": "envoy.admin.v3.ListenersConfigDump", "dynamic_listeners": [{}, 3]}]}',
        RBAC.format(permission="3", principal="[]"),
    ],
)
def test_odd_configurations_are_read_without_a_fault(text: str) -> None:
    envoy.read(Path("envoy.yaml"), text)


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "front.yaml").write_text(CONFIG)

    assert read_manifest(tmp_path / "front.yaml").platform == "envoy"
