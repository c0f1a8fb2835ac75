"""T39: ten minutes of load by trace id on three collectors that share a lake; one of them is killed and begun twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from campaigning import quantity
from postgres import postgres
from sharing import killed_twice


@pytest.mark.timeout(2400)
def test_the_lake_of_three_collectors_is_that_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        answers = killed_twice(
            tmp_path, server.catalog, str(tmp_path / "data"), seconds=quantity(600, 20), settle_s=600
        )

    for report, (shared, alone) in answers.items():
        assert alone, report
        assert sorted(map(repr, shared)) == sorted(map(repr, alone)), report
