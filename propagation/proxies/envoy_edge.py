"""Envoy's listener for the outside: nothing of ours comes in, and the trace starts anew. No I/O.

Envoy's tracer sets no span link: the trace that came is an attribute of the span, and the analysis reads it as one.
"""

from __future__ import annotations

from typing import Final

from bindtrace.propagation import vocabulary as words
from bindtrace.propagation.proxies import envoy_rules as rules
from bindtrace.propagation.proxies.envoy_clusters import APP
from bindtrace.propagation.proxies.envoy_manager import manager
from bindtrace.propagation.proxies.envoy_rules import TYPE, Block
from bindtrace.propagation.proxies.plan import Sidecar

_MUTATION: Final = f"{TYPE}.extensions.filters.http.header_mutation.v3.HeaderMutation"
_EARLY: Final = f"{TYPE}.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
_TO_METADATA: Final = f"{TYPE}.extensions.filters.http.header_to_metadata.v3.Config"
_KEPT: Final = "bindtrace.edge"


def public(sidecar: Sidecar) -> Block:
    """From the outside: nothing of ours comes in, and no trace goes on."""
    named = {name: [rules.header_present(name)] for name in words.EDGE_HEADERS}
    tags = {
        words.AUTHZ_REASON: "not_applicable_public",
        words.AUTHZ_DECISION: "allow",
        words.AUTHZ_MODE: sidecar.mode,
        words.AUTHZ_POSITION: "proxy",
        words.EDGE_STRIPPED: rules.noted("stripped"),
        words.EDGE_TRACEPARENT: f"%DYNAMIC_METADATA({_KEPT}:traceparent)%",
        "client.address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    }
    return manager(
        sidecar,
        "public",
        APP,
        tags=tags,
        filters=[rules.noting("stripped", named), _noting_trace(), _stripping()],
        use_remote_address=True,
        early_header_mutation_extensions=[_restarting()],
    )


def _restarting() -> Block:
    """Before Envoy reads it the trace is put aside, under a name that is cleared of what the client sent by it."""
    kept = {"key": words.EDGE_TRACEPARENT_HEADER, "value": "%REQ(traceparent)%"}
    gone = (*words.TRACE_HEADERS, words.BAGGAGE_HEADER)
    mutations = [
        {"remove": words.EDGE_TRACEPARENT_HEADER},
        {"append": {"header": kept, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}},
        *({"remove": name} for name in gone),
    ]
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {"@type": _EARLY, "mutations": mutations},
    }


def _noting_trace() -> Block:
    """For the span's tag: a span ends after the stripping, and would not find the header any more."""
    noted = {"metadata_namespace": _KEPT, "key": "traceparent", "type": "STRING"}
    rule = {"header": words.EDGE_TRACEPARENT_HEADER, "on_header_present": noted, "remove": True}
    return {
        "name": "envoy.filters.http.header_to_metadata",
        "typed_config": {"@type": _TO_METADATA, "request_rules": [rule]},
    }


def _stripping() -> Block:
    """By canonical name, one expression a name (Envoy bounds the size of each); of the prefixes, all below them."""
    names = [rules.any_spelling(name) for name in words.EDGE_HEADERS]
    names += [rules.any_spelling(prefix) + ".*" for prefix in words.EDGE_HEADER_PREFIXES]
    mutations = [
        {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": f"(?i){name}"}}}} for name in names
    ]
    return {
        "name": "envoy.filters.http.header_mutation",
        "typed_config": {"@type": _MUTATION, "mutations": {"request_mutations": mutations}},
    }
