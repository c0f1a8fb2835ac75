"""The decision: facts of one call in, verdict and reason out. A table of data; no I/O, no clock.

The shim evaluates it per call, the collector once per distinct tuple of facts (queries/analyse.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from types import MappingProxyType
from typing import Final, NamedTuple

from bindtrace.propagation.vocabulary import PROXY_REASONS, REASONS, Verdict


class Facts(NamedTuple):
    """What is known of one call; each field takes one of the values listed in `FACT_VALUES`."""

    receiver: str
    """The reason that a receiver's own validation gave, or `none` where nobody validated."""
    manifest: str
    """Whether a manifest that was in force names the caller or the callee: `present` or `absent`."""
    caller: str
    """`service`: named by its own spans or its claim; `external`: came through a public edge; `unknown`."""
    callee: str
    """`service`: one of ours; `outside`: a database or somebody else's host; `unknown`."""
    grant: str
    """What the manifests say of this caller and callee: `yes`; `no`; `route`: not this method or path; `forbidden`:
    a rule denies it; `not_shown`: it depends on what no span shows."""
    entry: str
    """For an external caller, what the manifest says of the public path: `declared`, `undeclared`, `unknown`."""


class Decision(NamedTuple):
    verdict: Verdict
    reason: str


FACT_VALUES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "receiver": ("none", *(reason for reasons in REASONS.values() for reason in reasons), *PROXY_REASONS),
        "manifest": ("present", "absent"),
        "caller": ("service", "external", "unknown"),
        "callee": ("service", "outside", "unknown"),
        "grant": ("yes", "no", "route", "forbidden", "ruled_in", "ruled_out", "not_shown"),
        "entry": ("declared", "undeclared", "unknown"),
    }
)

_OWN: Final = ""  # the reason of the receiver itself
_DENYING: Final = (
    *(reason for name, reasons in REASONS.items() if name != "allowed" for reason in reasons),
    *PROXY_REASONS,
)

TABLE: Final[tuple[tuple[Mapping[str, tuple[str, ...]], Verdict, str], ...]] = (
    # a public listener validates nobody: where a manifest says whether the path is public, that counts
    ({"receiver": ("not_applicable_public",), "entry": ("declared",)}, "allowed", "declared"),
    ({"receiver": ("not_applicable_public",), "entry": ("undeclared",)}, "denied", "undeclared"),
    # who validated the credential knows best
    ({"receiver": REASONS["allowed"]}, "allowed", _OWN),
    ({"receiver": _DENYING}, "denied", _OWN),
    # without a manifest nothing is undeclared
    ({"manifest": ("absent",)}, "unknown", "no_manifest"),
    ({"callee": ("outside", "unknown")}, "unknown", "callee_unknown"),
    # a policy that can rule has asked of the caller what it asks of whoever calls
    ({"grant": ("forbidden",)}, "denied", "forbidden"),
    ({"grant": ("ruled_in",)}, "allowed", "declared"),
    ({"grant": ("ruled_out",)}, "denied", "undeclared"),
    ({"caller": ("external",), "entry": ("declared",)}, "allowed", "declared"),
    ({"caller": ("external",), "entry": ("undeclared",)}, "denied", "undeclared"),
    ({"caller": ("external", "unknown")}, "unknown", "caller_unknown"),
    ({"grant": ("yes",)}, "allowed", "declared"),
    ({"grant": ("route",)}, "denied", "route_not_allowed"),
    ({"grant": ("not_shown",)}, "unknown", "not_shown"),
    ({}, "denied", "undeclared"),
)
"""Ordered, first match wins; a field that a row does not name matches any value. The last row matches all."""


def decide(facts: Facts) -> Decision:
    """The verdict on one call. Raises `ValueError` for a value outside `FACT_VALUES`: our own misuse."""
    named = facts._asdict()
    for field, value in named.items():
        if value not in FACT_VALUES[field]:
            raise ValueError(f"{field}={value!r} is not one of {FACT_VALUES[field]}")
    for conditions, verdict, reason in TABLE:
        if all(named[field] in values for field, values in conditions.items()):
            return Decision(verdict, reason or facts.receiver)
    raise AssertionError("the last row of the table matches every call")


def every_combination() -> list[Facts]:
    """All tuples of facts that can be stated, for the tests that compare two evaluations of the table."""
    return [Facts(*values) for values in product(*FACT_VALUES.values())]
