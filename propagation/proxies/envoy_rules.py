"""Grants as Envoy's RBAC on the URI of the peer's certificate, and each verdict as a word that a tag can show.

Envoy tells which policy of a shadow rule matched (`…shadow_effective_policy_id`), so a filter whose policies are named
by our reasons writes the reason of the closed list; nothing but Envoy is on the path. RBAC is evaluated by policy name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from bindtrace.propagation.identity.spiffe import SCHEME, Service
from bindtrace.propagation.proxies.plan import Caller
from bindtrace.propagation.vocabulary import Mode

Block = dict[str, Any]
TYPE: Final = "type.googleapis.com/envoy"
_NAME: Final = "envoy.filters.http.rbac"
_RBAC: Final = f"{TYPE}.extensions.filters.http.rbac.v3.RBAC"
_SEGMENT: Final = "[A-Za-z0-9._-]+"
_ANY: Final[Block] = {"any": True}


def uri_pattern(service: Service) -> str:
    """Any deployment of the service, as a regular expression over the whole URI."""
    return f"{re.escape(str(service))}/deployment/{_SEGMENT}"


def noted(word: str) -> str:
    """What a tag's value reads of the filter that `noting` made for `word`; nothing where no policy matched."""
    return f"%DYNAMIC_METADATA({_NAME}:{word}_shadow_effective_policy_id)%"


def noting(word: str, policies: Mapping[str, Iterable[Block]]) -> Block:
    """A filter that lets everything pass and notes the first policy, by name, of whose principals one matches."""
    return {
        "name": f"bindtrace.{word}",
        "typed_config": {
            "@type": _RBAC,
            "shadow_rules": _rules(policies),
            "shadow_rules_stat_prefix": f"{word}_",
        },
    }


def by_grant(callers: Iterable[Caller], own: Service, mode: Mode) -> list[Block]:
    """The filters that note reason, decision and binding of a call over mTLS, and in `enforce` refuse it."""
    known = tuple(callers)
    granted = {caller.binding: [_granted(caller)] for caller in known}
    allowed = _any_of([principal for principals in granted.values() for principal in principals])
    bound = _any_of([_peer(uri_pattern(caller.service)) for caller in known])
    inside = _peer(
        f"{re.escape(SCHEME + own.trust_domain)}/project/{_SEGMENT}/env/{re.escape(own.environment)}"
        f"/service/{_SEGMENT}/deployment/{_SEGMENT}"
    )
    denied = "deny" if mode == "enforce" else "allow"
    reasons: dict[str, list[Block]] = {
        "ok": [allowed],
        "environment_mismatch": [_not(inside)],
        "caller_not_bound": [_all_of(inside, _not(bound))],
        "route_not_allowed": [_all_of(bound, _not(allowed))],
    }
    decisions: dict[str, list[Block]] = (
        {"allow": [allowed], "deny": [_not(allowed)]} if denied == "deny" else {"allow": [_ANY]}
    )
    filters = [
        noting("reason", reasons),
        noting("decision", decisions),
        noting("would", {"allow": [allowed], "deny": [_not(allowed)]}),
        noting("binding", granted),
    ]
    if mode == "enforce":
        enforcing = {"@type": _RBAC, "rules": _rules(granted)}
        filters.append({"name": _NAME, "typed_config": enforcing})
    return filters


def any_spelling(name: str) -> str:
    """Of a header's name: servers read `_` and `.` as `-`."""
    return name.replace("-", "[-_.]")


def header_present(name: str) -> Block:
    return {"header": {"name": name, "present_match": True}}


def _rules(policies: Mapping[str, Iterable[Block]]) -> Block:
    return {
        "action": "ALLOW",
        "policies": {
            name: {"permissions": [_ANY], "principals": list(principals)}
            for name, principals in policies.items()
        },
    }


def _granted(caller: Caller) -> Block:
    """The caller's certificate, and where its grant names methods or paths, one of each."""
    asked = [_peer(uri_pattern(caller.service))]
    if caller.methods:
        asked.append(
            _any_of(
                [
                    {"header": {"name": ":method", "string_match": {"exact": method}}}
                    for method in caller.methods
                ]
            )
        )
    if caller.paths:
        asked.append(
            _any_of([{"url_path": {"path": {"safe_regex": {"regex": path}}}} for path in caller.paths])
        )
    return _all_of(*asked)


def _peer(pattern: str) -> Block:
    return {"authenticated": {"principal_name": {"safe_regex": {"regex": pattern}}}}


def _any_of(principals: list[Block]) -> Block:
    return {"or_ids": {"ids": principals}} if principals else _not(_ANY)


def _all_of(*principals: Block) -> Block:
    return principals[0] if len(principals) == 1 else {"and_ids": {"ids": list(principals)}}


def _not(principal: Block) -> Block:
    return {"not_id": principal}
