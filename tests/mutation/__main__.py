"""Deletes the check behind one deny reason at a time, and runs the guard's tests: each deletion must fail one.

    .venv/bin/python tests/mutation            prints `n of n`, exit status 1 where a deletion went unnoticed

A mutant is a copy of `propagation` in a temporary folder with one row less in one table; the tree is not touched.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
GUARD = ROOT / "propagation" / "guard"
TABLES = {
    "judge.py": ["HEADERS"],
    "token_checks.py": ["AUTHENTICITY", "TIMES"],
    "call_checks.py": ["GRANT"],
    "peer_checks.py": ["PEER"],
    "proof_checks.py": ["PROOF"],
}
TESTS = ["tests/propagation/guard/test_reasons.py"]


class Row(NamedTuple):
    file: str
    table: str
    reason: str
    first_line: int
    last_line: int


def rows() -> Iterator[Row]:
    """Every row of every table, in order, by the lines it takes."""
    for name, tables in TABLES.items():
        for node in ast.parse((GUARD / name).read_text()).body:
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.target, ast.Name)
                and node.target.id in tables
            ):
                assert isinstance(node.value, ast.List)
                for row in node.value.elts:
                    assert isinstance(row, ast.Tuple)
                    assert isinstance(row.elts[0], ast.Constant)
                    last = row.end_lineno or row.lineno
                    yield Row(name, node.target.id, str(row.elts[0].value), row.lineno, last)


def survives(row: Row | None) -> bool:
    """Whether the tests pass without the row; None deletes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "bindtrace"
        package.mkdir()
        shutil.copytree(
            ROOT / "propagation", package / "propagation", ignore=shutil.ignore_patterns("__pycache__")
        )
        for room in ("queries", "collector"):
            (package / room).symlink_to(ROOT / room)
        if row is not None:
            path = package / "propagation" / "guard" / row.file
            lines = path.read_text().splitlines(keepends=True)
            del lines[row.first_line - 1 : row.last_line]
            path.write_text("".join(lines))
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
        )
    if ran.returncode not in (0, 1):
        sys.exit(f"pytest could not run:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    return ran.returncode == 0


def main() -> int:
    if not survives(None):
        sys.exit("the tests fail without any deletion")
    every = list(rows())
    unnoticed = []
    for row in every:
        noticed = not survives(row)
        print(
            f"{'noticed' if noticed else 'UNNOTICED'}  {row.file}:{row.first_line}  {row.reason}", flush=True
        )
        unnoticed += [] if noticed else [row]
    print(f"{len(every) - len(unnoticed)} of {len(every)} deletions make a test fail")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
