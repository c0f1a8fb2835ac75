"""A shop of fifteen spans, of which each test has a copy, with a lake beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from drawn_shop import write_shop
from sealed import Con, database


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop") / "shop.duckdb")


@pytest.fixture
def path(tmp_path: Path, shop: Path) -> Path:
    return Path(shutil.copy(shop, tmp_path / "shop.duckdb"))


@pytest.fixture
def con(path: Path) -> Iterator[Con]:
    opened = database(path)
    yield opened
    opened.close()
