"""T9: a workload whose wall clock jumps plans anew within seconds, and never spins."""

from __future__ import annotations

import time
from pathlib import Path

from rotating import ORDERS, Scaled
from support import wait_for

from bindtrace.propagation.authority.issuing import Authority
from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.workload import joining
from bindtrace.propagation.workload.identity import Identity
from bindtrace.propagation.workload.schedule import LOOK_EVERY_S


class Clock:
    """Wall time that a test can move."""

    def __init__(self) -> None:
        self.moved_s = 0.0

    def __call__(self) -> int:
        return time.time_ns() + int(self.moved_s * 1e9)


def joined(scaled: Scaled, clock: Clock, number: int) -> Identity:
    opened = Authority(scaled.directory)
    path = scaled.directory / f"{number}.join"
    invitation = joining.Invitation(
        scaled.address, ORDERS, opened.invite(ORDERS, int(time.time())), opened.bundle()
    )
    joining.write(path, invitation)
    return Identity.join(path, now_unix_nano=clock)


def test_a_jump_of_the_wall_clock_is_planned_for_within_seconds(tmp_path: Path) -> None:
    jumps_s = (3600.0, -3600.0, 30 * 86_400.0, -30 * 86_400.0, 31.0, -31.0)
    scaled = Scaled(tmp_path, Lives())
    with scaled.running():
        clocks = [Clock() for _ in jumps_s]
        identities = [joined(scaled, clock, number) for number, clock in enumerate(clocks)]
        before = time.process_time()
        began = time.monotonic()
        for clock, jump_s in zip(clocks, jumps_s, strict=True):
            clock.moved_s = jump_s
        wait_for(
            lambda: all(identity.generation.number >= 2 for identity in identities),
            seconds=LOOK_EVERY_S + 3,
            what="each to renew",
        )
        time.sleep(6)
        spent = (time.process_time() - before) / (time.monotonic() - began)
        numbers = [identity.generation.number for identity in identities]
        for identity in identities:
            identity.close()

    assert max(numbers) <= 4
    assert spent < 0.05 * len(identities)


def test_a_clock_that_is_off_by_less_than_half_a_minute_changes_nothing(tmp_path: Path) -> None:
    scaled = Scaled(tmp_path, Lives())
    with scaled.running():
        clock = Clock()
        identity = joined(scaled, clock, 0)
        clock.moved_s = 25
        time.sleep(LOOK_EVERY_S + 1)
        number = identity.generation.number
        identity.close()

    assert number == 1
