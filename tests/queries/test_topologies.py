"""Benign topologies and their faulty twins (T33): what looks like a fault and is none, and what is one."""

from __future__ import annotations

import duckdb
import pytest
from topologies import SCENES, findings, missed, play

pytestmark = pytest.mark.slow


def test_there_are_forty_scenes() -> None:
    assert len(SCENES) >= 40


def test_forty_benign_topologies_have_no_finding_above_info(con: duckdb.DuckDBPyConnection) -> None:
    play(con, bad=False)

    above = [row for row in findings(con) if row["severity"] != "info"]

    assert [
        (row["rule"], row["severity"], row["caller"], row["callee"], row["message"]) for row in above
    ] == []


def test_every_faulty_twin_is_found_and_graded(con: duckdb.DuckDBPyConnection) -> None:
    scenes = play(con, bad=True)

    assert missed(scenes, findings(con)) == []


def test_at_ten_percent_sampling_nine_in_ten_are_found_and_graded(con: duckdb.DuckDBPyConnection) -> None:
    scenes = play(con, bad=True, keep_one_in=10)

    assert len(missed(scenes, findings(con))) <= len(scenes) // 10
