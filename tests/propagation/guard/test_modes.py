"""T28: every reason, in every mode, failing open or closed: only three faults of our own are ever 5xx or open."""

from __future__ import annotations

from dataclasses import replace

import pytest
from identities import BINDING, NOW_S, RECEIVER

from bindtrace.propagation.guard.modes import Outcome, outcome
from bindtrace.propagation.guard.request import Judgement
from bindtrace.propagation.vocabulary import CLASS_OF_REASON, REASONS, Mode

SYSTEM = {"bundle_unavailable", "bundle_stale", "policy_unavailable"}


@pytest.mark.parametrize("reason", list(CLASS_OF_REASON))
@pytest.mark.parametrize("mode", ["off", "observe", "enforce"])
@pytest.mark.parametrize("opens", [False, True])
def test_the_outcome_is_that_of_the_documented_table(reason: str, mode: Mode, opens: bool) -> None:
    receiver = replace(RECEIVER, fail_open_until_s=NOW_S + 1 if opens else 0)

    done = outcome(Judgement(reason), mode, receiver, now_s=NOW_S)

    if reason in REASONS["allowed"]:
        assert done == Outcome("allow", "allow", None, mode, None)
        return
    failed = None if reason not in SYSTEM else "open" if opens else "closed"
    assert (done.would, done.mode, done.failure_mode) == ("deny", mode, failed)
    if mode != "enforce" or failed == "open":
        assert (done.decision, done.status) == ("allow", None)
    else:
        assert (done.decision, done.status) == ("deny", 503 if reason in SYSTEM else 403)


def test_failing_open_ends_on_its_day() -> None:
    receiver = replace(RECEIVER, fail_open_until_s=NOW_S)

    assert outcome(Judgement("bundle_stale"), "enforce", receiver, now_s=NOW_S).status == 503


def test_a_binding_can_weaken_the_guard_and_never_strengthen_it() -> None:
    observed = Judgement("expired", binding=replace(BINDING, mode="observe"))
    enforced = Judgement("expired", binding=BINDING)

    assert outcome(observed, "enforce", RECEIVER, now_s=NOW_S).decision == "allow"
    assert outcome(enforced, "enforce", RECEIVER, now_s=NOW_S).decision == "deny"
    assert outcome(enforced, "observe", RECEIVER, now_s=NOW_S).decision == "allow"
