"""Every reason of the closed list, by a request that has just this fault; each beside a request that has not.

The mutation check (tests/mutation) deletes one row of the guard's tables at a time and runs this file.
"""

from __future__ import annotations

import pytest
from bending import Case, token
from identities import INVENTORY, ORDERS, Scene
from passing import ALLOWED
from refusals import DENIED, resigned

from bindtrace.propagation.identity.wit import Granted
from bindtrace.propagation.vocabulary import REASONS


@pytest.mark.parametrize(("reason", "case"), [pytest.param(r, c, id=f"{r}: {n}") for r, n, c in DENIED])
def test_a_request_with_one_fault_is_refused_for_it(reason: str, case: Case) -> None:
    judgement = case(Scene())

    assert judgement.reason == reason
    assert not judgement.allowed


@pytest.mark.parametrize(("assurance", "case"), [pytest.param(a, c, id=n) for a, n, c in ALLOWED])
def test_a_request_without_fault_passes_with_what_it_proved(assurance: str, case: Case) -> None:
    judgement = case(Scene())

    assert (judgement.reason, judgement.assurance) == ("ok", assurance)


def test_every_reason_that_a_request_can_be_refused_for_has_a_case() -> None:
    all_reasons = {reason for name, reasons in REASONS.items() if name != "allowed" for reason in reasons}

    # `internal_error` is a fault of ours; the guard's tests cause one.
    assert all_reasons - {"internal_error"} == {reason for reason, _, _ in DENIED}


def test_what_was_verified_is_known_and_what_was_not_is_only_claimed() -> None:
    scene = Scene()

    passed = scene.judge(scene.request(peer=scene.domain.leaf(scene.key)))
    refused = scene.judge(scene.request(resigned(scene)))

    assert passed.wit is not None
    assert (passed.wit.subject, passed.peer, passed.unverified) == (ORDERS, ORDERS, None)
    assert (refused.wit, refused.peer, refused.unverified) == (None, None, ORDERS)


def test_a_grant_that_is_read_back_is_the_one_that_was_issued() -> None:
    pinned = Granted("b1", INVENTORY.of_service, "d7", "production", 3)

    judgement = token(Scene(), granted=pinned)

    assert judgement.wit is not None
    assert judgement.wit.granted == pinned
