"""Ctrl-C ends the command with status 130 and without a word, whenever it comes."""

from __future__ import annotations

import subprocess
import sys

import pytest


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_ctrl_c_within_a_query_is_quiet_as_well() -> None:
    program = """
import click, signal, threading, duckdb
from bindtrace.propagation import command
@click.command()
def manifest() -> None:
    threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
    duckdb.sql("select sum(a.range * b.range) from range(10000000) a, range(10000) b").fetchall()
command._load = lambda entry: manifest
command.main()
"""

    done = python(program, "manifest")

    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")


@pytest.mark.parametrize(
    "module", ["click", "importlib.metadata", "bindtrace.queries.chains_command", "duckdb"]
)
def test_ctrl_c_while_modules_are_imported_ends_in_silence(module: str) -> None:
    program = f"""
import os, signal, sys
from bindtrace.propagation.entry import main
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
main()
"""

    done = python(program, "chains")

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_what_a_module_in_c_made_of_ctrl_c_is_quiet_as_well() -> None:
    """pybind11 raises an `ImportError` from the interrupt that reaches a module while it is imported."""
    program = """
import click
from bindtrace.propagation import command
@click.command()
def manifest() -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as interrupt:
        raise ImportError("initialization failed") from interrupt
command._load = lambda entry: manifest
command.main()
"""

    done = python(program, "manifest")

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_where_sigint_is_ignored_it_stays_ignored_while_modules_are_imported() -> None:
    program = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from bindtrace.propagation.entry import EndingAtOnce
with EndingAtOnce():
    os.kill(os.getpid(), signal.SIGINT)
print("went on")
"""

    assert python(program).stdout == "went on\n"


def test_once_a_verb_runs_ctrl_c_is_an_interrupt_again() -> None:
    program = """
import os, signal
from bindtrace.propagation.entry import EndingAtOnce
with EndingAtOnce():
    pass
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""

    assert python(program).stdout == "interrupted\n"
