"""What a wheel must hold: an editable install would hide a file that is left out."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_file_of_the_rooms_is_a_module_or_declared_as_data() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = ["*.py", *settings["tool"]["setuptools"]["package-data"]["*"]]
    files = [
        path
        for room in ("propagation", "queries", "collector")
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]

    left_out = [path for path in files if not any(fnmatch(path.name, pattern) for pattern in patterns)]

    assert len(files) > 100
    assert left_out == []
