"""I1 to I8 over simulated time: whatever the lives, outages and taints, the invariants hold at every tick."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindtrace.propagation.authority.rotation import Key, Kind, Lives, Step, active, broken, may_sign, plan
from bindtrace.propagation.workload.schedule import Life, backoff_s, jumped

DAY_S = 86_400


def carried_out(keys: list[Key], step: Step, lives: Lives, now_s: int) -> list[Key]:
    if step.action == "prepare":
        return [*keys, Key(step.kind, step.number, now_s, None, now_s + lives.of_key(step.kind), now_s)]
    if step.action == "remove":
        return [key for key in keys if key.number != step.number]
    return [replace(key, activated_s=now_s) if key.number == step.number else key for key in keys]


def settled(keys: list[Key], kind: Kind, lives: Lives, now_s: int) -> list[Key]:
    """All that is due is done, each step checked; it ends."""
    for _ in range(10):
        steps = plan(keys, kind, lives, now_s)
        if not steps:
            return keys
        for step in steps:
            after = carried_out(keys, step, lives, now_s)
            assert broken(keys, after, lives, now_s) == []
            keys = after
    pytest.fail("planning does not settle")


@st.composite
def some_lives(draw: st.DrawFn) -> Lives:
    refresh_s = draw(st.integers(1, 60))
    publish_s = refresh_s * draw(st.integers(3, 8))
    signed_s, skew_s = refresh_s * draw(st.integers(1, 15)), draw(st.integers(1, 60))
    life_s = 6 * max(signed_s + skew_s, publish_s) + refresh_s * draw(st.integers(0, 50))
    return Lives(life_s, life_s, signed_s, signed_s, skew_s, refresh_s, publish_s)


@settings(max_examples=25, deadline=None)
@given(some_lives(), st.integers(0, 2**32), st.booleans())
def test_every_valid_signature_is_by_a_key_that_every_receiver_knows(
    lives: Lives, seed: int, compromised: bool
) -> None:
    """Four receivers refresh with jitter, the authority is sometimes down; T35 and I1, I3, I7 in small."""
    dice, kind = random.Random(seed), "token"
    now_s, keys = 1_000_000, list[Key]()
    keys = settled(keys, "token", lives, now_s)
    known = [{key.number for key in keys} for _ in range(4)]
    refreshed = [now_s] * 4
    signed: list[tuple[int, int]] = []
    last_signature_s, tainted_at = 0, now_s + lives.token_key_s if compromised else None
    down_until_s, rotations = 0, set[int]()
    while now_s < 1_000_000 + 4 * lives.token_key_s:
        now_s += max(1, lives.refresh_s // 2)
        if now_s >= down_until_s and dice.random() < 0.002:
            down_until_s = now_s + dice.randrange(1, 2 * lives.publish_s)
        if now_s >= down_until_s:
            if tainted_at is not None and now_s >= tainted_at:
                keys = [replace(key, tainted=key.activated_s is not None) for key in keys]
                signed, tainted_at = [], None  # everybody renews at once (I8)
                keys = settled(keys, kind, lives, now_s)
                known = [{key.number for key in keys} for _ in range(4)]
            keys = settled(keys, kind, lives, now_s)
            signing = active(keys)
            assert signing is not None
            until_s = min(now_s + lives.token_s, signing.ends_s)
            if may_sign(signing, until_s, last_signature_s, now_s) is None:
                last_signature_s = now_s
                signed.append((signing.number, until_s))
                rotations.add(signing.number)
                keys = [
                    replace(key, signed_until_s=max(key.signed_until_s, until_s)) if key is signing else key
                    for key in keys
                ]
        for place in range(4):
            if now_s >= down_until_s and now_s - refreshed[place] >= lives.refresh_s * dice.uniform(0.9, 1.1):
                known[place], refreshed[place] = {key.number for key in keys}, now_s
        signed = [(number, until_s) for number, until_s in signed if until_s > now_s]
        for place, numbers in enumerate(known):
            if now_s - refreshed[place] <= 2 * lives.refresh_s:
                assert {number for number, _ in signed} <= numbers
    assert len(rotations) >= 3


def test_lives_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="six times"):
        Lives(ca_s=3600)
    with pytest.raises(ValueError, match="three refreshes"):
        Lives(refresh_s=200)
    with pytest.raises(ValueError, match="at least a second"):
        Lives(skew_s=0)


LIVES = Lives()
OLD = Key("ca", 1, 0, 0, 7 * DAY_S, 6 * DAY_S)
NEXT = Key("ca", 2, 3 * DAY_S + DAY_S // 2, None, 11 * DAY_S, 0)


@pytest.mark.parametrize(
    ("now_s", "keys", "expected"),
    [
        (0, [], [Step("prepare", "ca", 1)]),
        (3 * DAY_S, [OLD], []),
        (3 * DAY_S + DAY_S // 2, [OLD], [Step("prepare", "ca", 2)]),
        (5 * DAY_S, [OLD, NEXT], []),
        (7 * DAY_S * 5 // 6, [OLD, NEXT], [Step("activate", "ca", 2)]),
        (7 * DAY_S * 5 // 6, [OLD, replace(NEXT, created_s=7 * DAY_S * 5 // 6 - 299)], []),
        (6 * DAY_S + 30, [OLD, replace(NEXT, activated_s=5 * DAY_S)], []),
        (6 * DAY_S + 31, [OLD, replace(NEXT, activated_s=5 * DAY_S)], [Step("remove", "ca", 1)]),
        (DAY_S, [replace(OLD, tainted=True)], [Step("prepare", "ca", 2)]),
        (DAY_S, [replace(OLD, tainted=True), replace(NEXT, created_s=DAY_S)], [Step("activate", "ca", 2)]),
        (DAY_S + 3600, [replace(OLD, tainted=True), replace(NEXT, activated_s=DAY_S)], [Step("remove", "ca", 1)]),
        (DAY_S + 3599, [replace(OLD, tainted=True), replace(NEXT, activated_s=DAY_S)], []),
    ],
)  # fmt: skip
def test_a_step_is_due_at_its_time_and_not_a_second_before(
    now_s: int, keys: list[Key], expected: list[Step]
) -> None:
    assert plan(keys, "ca", LIVES, now_s) == expected


def test_each_broken_invariant_is_named() -> None:
    early = replace(NEXT, activated_s=NEXT.created_s + 299)

    assert broken([OLD, NEXT], [OLD, early], LIVES, NEXT.created_s + 299)[0].startswith("I1")
    assert broken([OLD, NEXT], [NEXT], LIVES, 6 * DAY_S + 30)[0].startswith("I3")
    assert broken([OLD], [replace(OLD, created_s=1)], LIVES, 0)[0].startswith("I6")
    assert broken([OLD, NEXT], [NEXT], LIVES, 6 * DAY_S + 31) == []


@pytest.mark.parametrize(
    ("key", "until_s", "last_s", "now_s", "why"),
    [
        (OLD, 7 * DAY_S, 100, 100, None),
        (OLD, 7 * DAY_S, 101, 100, "1 s behind"),
        (OLD, 7 * DAY_S + 1, 0, 100, "end before"),
        (NEXT, DAY_S, 0, 100, "not active"),
        (replace(OLD, tainted=True), DAY_S, 0, 100, "tainted"),
    ],
)
def test_who_may_not_sign_is_told_why(
    key: Key, until_s: int, last_s: int, now_s: int, why: str | None
) -> None:
    found = may_sign(key, until_s, last_s, now_s)

    assert found is None if why is None else why in str(found)


def test_credentials_are_renewed_at_half_of_their_life_give_or_take_a_tenth() -> None:
    life, dice = Life(1000.0, 4600.0), random.Random(1)

    times = [life.renew_after_s(dice) for _ in range(2000)]

    assert 1620 <= min(times) < 1630
    assert 1970 < max(times) <= 1980
    assert [life.urgency(part * 3600) for part in (0.5, 0.66, 0.67, 0.83, 0.84)] == [
        "none", "none", "warning", "warning", "error",
    ]  # fmt: skip


def test_waiting_after_a_failure_grows_and_ends_at_a_minute() -> None:
    dice = random.Random(1)

    longest = [max(backoff_s(failures, 10**6, dice) for _ in range(500)) for failures in (0, 1, 3, 20)]

    assert [round(seconds) for seconds in longest] == [1, 2, 8, 60]
    assert max(backoff_s(20, 10, dice) for _ in range(500)) <= 0.5


def test_a_clock_that_moved_otherwise_than_the_steady_one_has_jumped() -> None:
    assert not jumped(35, 5)
    assert jumped(36, 5)
    assert jumped(-3595, 5)
