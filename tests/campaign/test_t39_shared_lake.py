"""T39: ten minutes of load by trace id on three collectors that share a lake; one of them is killed and begun twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from campaigning import quantity
from postgres import Postgres, postgres
from s3 import s3
from sharing import killed_twice
from support import set_all

Answers = Mapping[str, tuple[Sequence[Any], Sequence[Any]]]


@pytest.mark.timeout(2400)
def test_the_lake_of_three_collectors_is_that_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres() as server:
        answers = shared_by_three(tmp_path, server, str(tmp_path / "data"), monkeypatch)

    judge_alike(answers)


@pytest.mark.timeout(2400)
def test_the_lake_of_three_collectors_in_object_storage_is_that_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres() as server, s3() as storage:
        set_all(monkeypatch, storage.environment(storage.keys[0]))
        answers = shared_by_three(tmp_path, server, storage.data("lake"), monkeypatch)

    judge_alike(answers)


def shared_by_three(folder: Path, server: Postgres, data: str, monkeypatch: pytest.MonkeyPatch) -> Answers:
    set_all(monkeypatch, server.environment)
    return killed_twice(folder, server.catalog, data, seconds=quantity(600, 20), settle_s=600)


def judge_alike(answers: Answers) -> None:
    for report, (shared, alone) in answers.items():
        assert alone, report
        assert sorted(map(repr, shared)) == sorted(map(repr, alone)), report
