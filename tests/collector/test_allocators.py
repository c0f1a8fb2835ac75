"""Children are told to give freed memory back, unless a person has said otherwise."""

from __future__ import annotations

import sys

import pytest
from support import wait_for

from bindtrace.collector.allocators import SETTINGS, with_settings
from bindtrace.collector.keeper import Keeper

TELL = "import json, os; print(json.dumps({n: os.environ.get(n) for n in os.environ}), flush=True)"


def test_what_a_person_has_set_counts() -> None:
    told = with_settings({"MALLOC_ARENA_MAX": "7", "HOME": "/root"})

    assert told == {**SETTINGS, "MALLOC_ARENA_MAX": "7", "HOME": "/root"}


def test_a_child_is_started_with_the_settings_and_what_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINDTRACE_API_TOKEN_FILE", "tokens")
    monkeypatch.delenv("DUCKDB_JE_MALLOC_CONF", raising=False)
    keeper = Keeper("child", [sys.executable, "-c", TELL], (), lambda _: None)
    keeper.start()
    try:
        wait_for(keeper.ready.is_set, seconds=20, what="the child")
        told = dict(keeper.announced)
    finally:
        keeper.ask_to_stop()
        keeper.wait_stopped(5)

    assert told["DUCKDB_JE_MALLOC_CONF"] == SETTINGS["DUCKDB_JE_MALLOC_CONF"]
    assert told["BINDTRACE_API_TOKEN_FILE"] == "tokens"
