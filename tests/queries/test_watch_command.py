"""`bindtrace watch`: shows what is new once, survives a collector that goes away, and ends when told to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from answering import answering, answering_on
from click.testing import CliRunner, Result
from drawing import draw
from drawn_shop import faulty_spans, good_spans, write_shop
from support import free_port, wait_for

from bindtrace.propagation.command import bindtrace
from bindtrace.queries.analyse import analyse
from bindtrace.queries.watch_command import Watch


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(bindtrace, ["watch", *map(str, words)])


def finding(severity: str, silenced: str | None = None) -> dict[str, str | None]:
    return {"id": "1", "severity": severity, "silenced_until": silenced}


def watching(url: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", "from bindtrace.propagation.command import main; main()",
         "watch", "--url", url, "--every", "50ms", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_finding_is_new_once_and_again_when_it_is_worse() -> None:
    watch = Watch("low")

    shown = [len(list(watch.new([finding(severity)]))) for severity in ("medium", "medium", "low", "high")]

    assert shown == [1, 0, 0, 1]


def test_a_silenced_or_mild_finding_is_no_news() -> None:
    watch = Watch("medium")

    assert list(watch.new([finding("high", silenced="1"), finding("low")])) == []


@pytest.mark.slow
def test_what_comes_in_is_shown_as_it_is_found(shop: duckdb.DuckDBPyConnection) -> None:
    draw(shop, *good_spans())
    analyse(shop)
    with answering_on(shop) as url:
        process = watching(url, "-f", "jsonl")
        try:
            assert process.stdout
            assert process.stderr
            assert "watching" in process.stderr.readline()
            draw(shop, *faulty_spans())
            analyse(shop)
            found = json.loads(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            rest, narration = process.communicate(timeout=20)
        finally:
            process.kill()

    assert found["rule"] in ("undeclared-call", "public-route")
    assert process.returncode == 0
    assert "Traceback" not in narration
    assert (
        len({json.loads(line)["id"] for line in rest.splitlines()} | {found["id"]})
        == len(rest.splitlines()) + 1
    )


def test_with_all_the_findings_that_there_are_come_first(tmp_path: Path) -> None:
    with answering(write_shop(tmp_path / "shop.duckdb")) as url:
        result = run("--url", url, "--all", "--for", "1ms", "-f", "jsonl")
        people = run("--url", url, "--all", "--for", "1ms", "--severity", "high")

    assert {json.loads(line)["rule"] for line in result.stdout.splitlines()} >= {
        "undeclared-call",
        "public-route",
    }
    assert people.stdout == ""
    assert result.exit_code == 0


@pytest.mark.slow
def test_something_new_within_the_time_fails_a_pipeline(shop: duckdb.DuckDBPyConnection) -> None:
    with answering_on(shop) as url:
        process = watching(url, "--for", "10s")
        try:
            assert process.stderr
            assert process.stderr.readline()
            draw(shop, *faulty_spans())
            analyse(shop)
            out, narration = process.communicate(timeout=30)
        finally:
            process.kill()

    assert process.returncode == 1
    assert "what to do" in out
    assert "new finding" in narration


@pytest.mark.slow
def test_a_collector_that_goes_away_is_waited_for(shop: duckdb.DuckDBPyConnection) -> None:
    with answering_on(shop) as url:
        process = watching(url)
        assert process.stderr
        assert process.stderr.readline()
    try:
        told = wait_for(process.stderr.readline, what="a word on the collector")
        process.send_signal(signal.SIGINT)
        _, narration = process.communicate(timeout=20)
    finally:
        process.kill()

    assert "asking on until it answers" in told
    assert narration == "0 new findings\n"
    assert process.returncode == 0


@pytest.mark.parametrize(
    "words", [("--url", f"http://127.0.0.1:{free_port()}"), ("--every", "0s"), ("--for", "soon")]
)
def test_what_cannot_be_watched_is_refused(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_a_stopped_collectors_file_is_refused(tmp_path: Path) -> None:
    result = run("--db", write_shop(tmp_path / "shop.duckdb"))

    assert result.exit_code == 2
    assert "nothing new comes into it" in result.output
