"""Several collectors, one lake with its catalog in PostgreSQL: one view, whoever of them is alive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import Postgres, postgres
from sharing import killed_twice


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as own:
        yield own


@pytest.fixture
def catalog(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server.catalog


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_collectors_of_which_one_is_killed_twice_are_as_one(catalog: str, tmp_path: Path) -> None:
    answers = killed_twice(tmp_path, catalog, str(tmp_path / "data"), settle_s=150)

    for report, (shared, alone) in answers.items():
        assert alone, report
        assert sorted(map(repr, shared)) == sorted(map(repr, alone)), report
