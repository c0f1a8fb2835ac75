"""The decision table: each allow has its deny beside it."""

from __future__ import annotations

import pytest

from bindtrace.propagation.decision import FACT_VALUES, TABLE, Decision, Facts, decide, every_combination
from bindtrace.propagation.vocabulary import JUDGED_REASONS, PROXY_REASONS, REASONS, VERDICTS

CALL = Facts(
    receiver="none", manifest="present", caller="service", callee="service", grant="yes", entry="unknown"
)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ("allowed", "declared")),
        ({"grant": "no"}, ("denied", "undeclared")),
        ({"grant": "no", "manifest": "absent"}, ("unknown", "no_manifest")),
        ({"callee": "unknown"}, ("unknown", "callee_unknown")),
        ({"callee": "outside"}, ("unknown", "callee_unknown")),
        ({"caller": "unknown"}, ("unknown", "caller_unknown")),
        ({"caller": "external", "entry": "declared"}, ("allowed", "declared")),
        ({"caller": "external", "entry": "undeclared"}, ("denied", "undeclared")),
        ({"caller": "external"}, ("unknown", "caller_unknown")),
        ({"receiver": "ok", "grant": "no"}, ("allowed", "ok")),
        ({"receiver": "signature_invalid"}, ("denied", "signature_invalid")),
        ({"receiver": "bundle_unavailable"}, ("denied", "bundle_unavailable")),
    ],
)
def test_a_call_is_judged_by_its_facts(changed: dict[str, str], expected: tuple[str, str]) -> None:
    assert decide(CALL._replace(**changed)) == expected


def test_every_combination_has_one_verdict_and_one_reason_of_the_closed_lists() -> None:
    reasons = {
        *JUDGED_REASONS,
        *PROXY_REASONS,
        *(reason for reasons in REASONS.values() for reason in reasons),
    }

    for facts in every_combination():
        decision = decide(facts)
        assert decision.verdict in VERDICTS
        assert decision.reason in reasons


def test_there_are_fifty_two_reasons_of_a_receiver() -> None:
    assert sum(len(reasons) for reasons in REASONS.values()) == 52


def test_every_row_of_the_table_decides_some_call() -> None:
    first_match = {
        next(
            place
            for place, (conditions, _, _) in enumerate(TABLE)
            if all(getattr(facts, field) in values for field, values in conditions.items())
        )
        for facts in every_combination()
    }

    assert first_match == set(range(len(TABLE)))


def test_without_a_manifest_nobody_is_undeclared() -> None:
    for facts in every_combination():
        if facts.manifest == "absent" and facts.receiver == "none":
            assert decide(facts) == Decision("unknown", "no_manifest")


@pytest.mark.parametrize("field", list(FACT_VALUES))
def test_a_value_outside_the_closed_list_is_our_own_mistake(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        decide(CALL._replace(**{field: "perhaps"}))
