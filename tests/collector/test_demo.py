"""The demo as a person runs it: real services, a real collector, and exactly the faults that were planted."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from support import wait_for

from bindtrace.collector.demo import plan, traffic
from bindtrace.collector.demo.traffic import Call, missing
from bindtrace.queries.query import Query
from bindtrace.queries.source import open_source

pytestmark = pytest.mark.slow

BINDTRACE = (sys.executable, "-c", "from bindtrace.propagation.command import main; main()")


class Played(NamedTuple):
    """What one `bindtrace demo --once` left."""

    db: Path
    recording: Path
    stdout: str
    stderr: str

    def rows(self, report: str) -> list[dict[str, Any]]:
        source = open_source(self.db, None)
        try:
            return source.rows(report, Query())
        finally:
            source.close()

    def check(self) -> subprocess.CompletedProcess[str]:
        folder = self.recording.with_name(f"{self.recording.name}.manifests")
        manifests = [f"--manifest={folder / name}" for name in ("vercel.json", "bindtrace.toml")]
        return _bindtrace("check", *manifests, str(self.recording))


def _bindtrace(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BINDTRACE, *arguments], capture_output=True, text=True, timeout=100, check=False)


@contextmanager
def _alone() -> Iterator[None]:
    """One demo at a time on this machine: two would look for the same free ports at the same moment."""
    with (Path(tempfile.gettempdir()) / "bindtrace-demo-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def alone() -> Iterator[None]:
    with _alone():
        yield


def _played(folder: Path, wanted: str) -> Played:
    db, recording = folder / "traces.duckdb", folder / "traces.jsonl"
    with _alone():
        done = _bindtrace("demo", "--once", f"--db={db}", f"--record={recording}", f"--traffic={wanted}")
    assert done.returncode == 0, done.stderr
    return Played(db, recording, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return _played(tmp_path_factory.mktemp("all"), "all")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return _played(tmp_path_factory.mktemp("good"), "good")


def _warehouse(played: Played) -> str:
    found = re.search(r"^warehouse +(\S+)", played.stderr, re.MULTILINE)
    assert found
    return found[1]


def test_the_demo_finds_exactly_the_planted_faults(everything: Played) -> None:
    findings = everything.rows("findings")

    assert sorted((f["rule"], f["caller"], f["callee"]) for f in findings) == [
        ("broken-propagation", "catalog", "inventory"),
        ("caller-mismatch", "billing", "ledger"),
        ("public-entry", None, "ledger"),
        ("public-route", "orders", "inventory"),
        ("undeclared-call", "storefront", "ledger"),
        ("unknown-callee", "inventory", _warehouse(everything)),
    ]
    assert {f["count"] for f in findings} == {traffic.FAULTY_ROUNDS}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("undeclared-call", ("storefront", "ledger", "vercel.json")),
        ("public-route", ("INVENTORY_URL",)),
        ("broken-propagation", ("catalog", "traceparent", "INVENTORY_URL")),
        ("caller-mismatch", ("billing", "orders")),
        ("public-entry", ("/ledger/export", "edge")),
        ("unknown-callee", ("inventory", "bindtrace.toml")),
    ],
)
def test_each_fix_names_what_has_to_change(everything: Played, rule: str, words: tuple[str, ...]) -> None:
    (finding,) = (f for f in everything.rows("findings") if f["rule"] == rule)

    assert [word for word in words if word not in finding["fix"]] == []


def test_the_public_way_is_said_to_be_slower(everything: Played) -> None:
    (finding,) = (f for f in everything.rows("findings") if f["rule"] == "public-route")

    assert re.search(r"[\d.]+ ms slower", finding["message"])


def test_good_traffic_has_no_findings(good: Played) -> None:
    assert good.rows("findings") == []
    assert {edge["verdict"] for edge in good.rows("edges")} == {"allowed"}


def test_every_call_of_the_traffic_is_one_hop(good: Played) -> None:
    hops = good.rows("hops")

    expected = sum(len(visit.calls) for visit in traffic.visits(faults=False))
    assert len(hops) == expected
    assert not missing(traffic.visits(faults=False), hops, {"warehouse": "nowhere"})


def test_a_chain_goes_from_the_outside_to_the_ledger(good: Played) -> None:
    signatures = [chain["signature"] for chain in good.rows("chains")]

    assert any(list(s)[-4:] == ["storefront", "orders", "billing", "ledger"] for s in signatures)


def test_a_mapped_telemetry_name_is_shown_by_its_manifest_name(good: Played) -> None:
    names = {service["service"] for service in good.rows("services")}

    assert "ledger" in names
    assert "ledger-api" not in names


def test_check_fails_on_the_recording_of_the_faults(everything: Played) -> None:
    done = everything.check()

    assert done.returncode == 1, done.stderr
    assert "undeclared-call" in done.stdout


def test_check_passes_on_the_recording_of_good_traffic(good: Played) -> None:
    done = good.check()

    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_starts_and_where_is_told_on_standard_error(everything: Played) -> None:
    for part in plan.PARTS:
        assert re.search(rf"^{part.name} +127\.0\.0\.1:\d+", everything.stderr, re.MULTILINE)
    assert re.search(r"^collector +grpc 127\.0\.0\.1:\d+", everything.stderr, re.MULTILINE)


def test_each_finding_is_printed_with_what_how_sure_fix_and_check(everything: Played) -> None:
    for label in ("what happened", "how sure", "what to do", "how to check"):
        assert everything.stdout.count(f"\n  {label}") == len(traffic.FAULTS)
    assert re.search(r"bindtrace chain [0-9a-f]{32}", everything.stderr)


def test_the_recording_is_otlp_with_hex_ids(good: Played) -> None:
    assert re.search(r'"traceId":"[0-9a-f]{32}","spanId":"[0-9a-f]{16}"', good.recording.read_text())


def test_a_call_that_was_not_seen_in_full_is_missing() -> None:
    visit = traffic.GOOD[1]
    seen = [{"caller": None, "callee": "storefront", "evidence": ["1", "2", "3"]}]
    half = {"caller": "storefront", "callee": "orders", "evidence": ["4"]}

    assert missing([visit], [*seen, half], {"warehouse": "nowhere"}) == {Call("storefront", "orders"): 1}


@contextmanager
def _staying(
    folder: Path, *, until: str
) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process], list[str]]]:
    """A demo that stays up, once it has said `until`, with all processes that it started."""
    demo = subprocess.Popen(
        [*BINDTRACE, "demo", "--traffic=good"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
        process_group=0,
    )
    assert demo.stderr is not None
    lines: list[str] = []
    try:
        for line in demo.stderr:
            lines.append(line)
            if until in line:
                break
        yield demo, psutil.Process(demo.pid).children(recursive=True), lines
    finally:
        demo.kill()
        demo.stderr.close()
        demo.wait()


def _all_gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


@contextmanager
def _taken(*ports: int) -> Iterator[None]:
    """Somebody listens on these ports; another test of this machine may be that somebody."""
    held = [socket.socket() for _ in ports]
    for listener, port in zip(held, ports, strict=True):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError:
            continue
    yield
    for listener in held:
        listener.close()


@pytest.mark.usefixtures("alone")
def test_busy_ports_are_replaced_and_ctrl_c_stops_every_process(tmp_path: Path) -> None:
    with _taken(4317, 4319, 8080, 9101), _staying(tmp_path, until="stays up") as (demo, children, lines):
        os.kill(demo.pid, signal.SIGINT)
        status = demo.wait(30)

        told = "".join(lines)
        assert status == 0
        assert not re.search(r"127\.0\.0\.1:(4317|4319|8080|9101)\b", told)
        assert len(children) >= len(plan.PARTS) + 2
        assert _all_gone(children)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("alone")
def test_a_killed_demo_leaves_no_process_behind(tmp_path: Path) -> None:
    with _staying(tmp_path, until="sending") as (demo, children, _):
        demo.kill()

        wait_for(lambda: _all_gone(children), seconds=20, what="the demo's processes to go")
