"""What the page of benchmarks says can be run is there: its benches, its variables; and no bench is left out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent / "bench"
PAGE = (BENCH / "README.md").read_text()


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, BENCH, *words], capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_the_page_names_every_bench_and_no_other() -> None:
    text = bench("--help").stdout
    several, alone = text.split("or one of these alone:\n")
    names = set(re.sub(r".*names: ", "", several, flags=re.DOTALL).strip().split(", "))
    names |= {line.split()[0] for line in alone.splitlines() if line.startswith("  ")}

    first_cells = re.findall(r"^\| (?:`[A-Z_]+=\d+`, )?`([a-z-]+)", PAGE, re.MULTILINE)
    run = re.findall(r"python tests/bench ([a-z-]+)", PAGE)

    assert len(names) > 15
    assert {*first_cells, *run} == names


def test_every_variable_that_the_page_names_is_read() -> None:
    code = "".join(file.read_text() for file in BENCH.glob("*.py"))

    named = set(re.findall(r"BENCH_[A-Z]+", PAGE))

    assert named
    assert named <= set(re.findall(r'environ\.get\("(BENCH_[A-Z]+)"', code))


@pytest.mark.slow
def test_a_bench_that_is_not_there_is_one_line_and_a_fix() -> None:
    done = bench("nothing")

    assert done.returncode == 2
    assert done.stderr.startswith("error: no bench 'nothing'. fix: one of decode, ")


@pytest.mark.slow
def test_a_bench_prints_the_machine_and_what_it_measured() -> None:
    done = bench("guard-loop")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("machine: ")
    assert (
        len(re.findall(r"^guard-loop: mtls, with(?:out)? an SDK: \d+ us of CPU", done.stdout, re.MULTILINE))
        == 2
    )
