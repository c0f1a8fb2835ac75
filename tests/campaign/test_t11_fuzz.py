"""T11: the coverage-guided fuzz of admission and decode, for `FUZZ_SECONDS`; skipped where atheris is not installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from campaigning import quantity

SECONDS = int(os.environ.get("FUZZ_SECONDS") or quantity(small=30, full=600))


@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed: pip install -c constraints.txt -e .[fuzz]",
)
def test_admission_and_decode_survive_the_fuzz(tmp_path: Path) -> None:
    script = Path(__file__).with_name("fuzz_admission.py")
    command = [sys.executable, str(script), str(SECONDS), str(tmp_path / "corpus")]

    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr[-3000:]
    assert not list(tmp_path.glob("crash-*"))
