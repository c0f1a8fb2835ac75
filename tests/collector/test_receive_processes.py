"""Two receiver processes share the ports; what they acknowledged outlives them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
from receiving import PROTOBUF, Load, export, running_receivers
from support import wait_for


def test_both_receivers_get_connections_and_the_reserving_socket_none(tmp_path: Path) -> None:
    """On Linux a bound socket that does not listen takes no connections from those that share its port."""
    with running_receivers(tmp_path / "journal", 2) as receivers:
        for _ in range(40):
            answer = httpx.post(
                f"{receivers.url}/v1/traces",
                content=export(os.urandom(8)).SerializeToString(),
                headers=PROTOBUF,
            )
            assert answer.status_code == 200

        with_segments = {path.parent for path in receivers.journal.glob("*/*.seg")}

    assert len(with_segments) == 2


def test_a_receiver_goes_when_its_supervisor_is_gone(tmp_path: Path) -> None:
    with running_receivers(tmp_path / "journal", 2) as receivers:
        os.close(receivers.pipe)

        statuses = [process.wait(10) for process in receivers.processes]

    assert statuses == [0, 0]
    assert list(receivers.journal.iterdir()) == []


def test_a_terminated_receiver_answers_what_is_in_flight_and_ends_with_0(tmp_path: Path) -> None:
    with running_receivers(tmp_path / "journal", 2) as receivers, Load(receivers.http) as load:
        acknowledged = load.acknowledged
        wait_for(lambda: len(acknowledged) > 100)

        for process in receivers.processes:
            process.send_signal(signal.SIGTERM)
        statuses = [process.wait(10) for process in receivers.processes]
        load.stop()

        assert statuses == [0, 0]
        assert set(acknowledged) <= set(receivers.stored_span_ids())


def test_every_acknowledged_span_outlives_a_killed_receiver(tmp_path: Path) -> None:
    with running_receivers(tmp_path / "journal", 2) as receivers, Load(receivers.http) as load:
        acknowledged = load.acknowledged
        wait_for(lambda: len(acknowledged) > 300)

        receivers.processes[0].kill()
        before = len(acknowledged)
        wait_for(lambda: len(acknowledged) > before + 300, what="the other receiver to go on")
        receivers.processes[1].kill()
        for process in receivers.processes:
            process.wait(10)
        load.stop()

        stored = receivers.stored_span_ids()

    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
