"""T38: kill -9 at a random moment of sealing, recalling, merging and expiring; nothing is lost, nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from campaigning import SEED, quantity
from killing_seals import acknowledged, judge_whole, kill_while_sealing


@pytest.mark.timeout(7200)
def test_kills_during_sealing_lose_and_double_nothing(tmp_path: Path) -> None:
    con = kill_while_sealing(tmp_path, quantity(200, 20), SEED)

    judge_whole(con, acknowledged(tmp_path))
    con.close()
