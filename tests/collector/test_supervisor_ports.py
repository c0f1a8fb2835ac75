"""Ports are taken for sure or refused with who has them; children are kept alive until they refuse."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from support import wait_for

from bindtrace.collector.keeper import Keeper
from bindtrace.collector.ports import Address, listen, reserve
from bindtrace.propagation.errors import Refusal


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4317", Address("127.0.0.1", 4317)),
        ("[::1]:0", Address("::1", 0)),
        ("localhost:65535", Address("localhost", 65535)),
    ],
)
def test_an_address_is_text_and_back(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "4317", ":4317", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536"]
)
def test_other_text_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Refusal, match=r"is not an address\. fix: write HOST:PORT"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("localhost", True), ("0.0.0.0", False), ("192.0.2.7", False)],
)
def test_only_loopback_is_loopback(host: str, loopback: bool) -> None:
    assert Address(host, 1).is_loopback is loopback


def test_port_0_is_a_free_port_that_stays_ours() -> None:
    held = reserve(Address("127.0.0.1", 0))
    port = held.getsockname()[1]

    with pytest.raises(OSError), socket.socket() as other:
        other.bind(("127.0.0.1", port))
    listen(Address("127.0.0.1", port)).close()
    held.close()


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_with_a_listener_is_refused_naming_who_has_it(shared: bool) -> None:
    """Also one that would share it: a second gRPC server binds beside a first without an error."""
    with socket.socket() as other:
        if shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(Refusal) as refusal:
            reserve(Address("127.0.0.1", port))

    text = str(refusal.value)
    assert f"port {port} of 127.0.0.1 is in use" in text
    assert "another port" in text
    assert sys.platform != "linux" or f"by process {os.getpid()} " in text


def test_a_reserved_port_is_refused_to_a_second_collector() -> None:
    held = reserve(Address("127.0.0.1", 0))

    with pytest.raises(Refusal, match="is in use"):
        reserve(Address("127.0.0.1", held.getsockname()[1]))
    held.close()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(Refusal, match=r"cannot listen on 192\.0\.2\.1:0"):
        reserve(Address("192.0.2.1", 0))


def keeper(code: str, lines: list[str]) -> Keeper:
    return Keeper("child", [sys.executable, "-c", code], (), lines.append)


def test_a_child_that_dies_is_started_again() -> None:
    lines: list[str] = []
    child = keeper("import os, time; print('{}', flush=True); time.sleep(60)", lines)
    child.start()
    assert child.ready.wait(10)
    first = child.pid
    assert first is not None

    os.kill(first, 9)
    second = wait_for(lambda: child.pid not in (None, first) and child.pid)
    child.ask_to_stop()
    child.wait_stopped(10)

    assert lines == [f"child (process {first}) was ended by SIGKILL; starts again in 0.2 s"]
    assert not Path(f"/proc/{second}").exists()
    assert child.pid is None


def test_a_child_that_refuses_to_begin_is_not_started_again() -> None:
    lines: list[str] = []
    child = keeper("raise SystemExit(2)", lines)
    child.start()

    assert child.refused.wait(10)
    child.wait_stopped(10)
    assert lines == []


def test_a_child_that_fails_over_and_over_is_started_ever_more_slowly() -> None:
    lines: list[str] = []
    child = keeper("raise SystemExit(7)", lines)
    child.start()
    wait_for(lambda: len(lines) >= 3)
    child.ask_to_stop()
    child.wait_stopped(10)

    assert [line.rpartition(" in ")[2] for line in lines[:3]] == ["0.2 s", "0.4 s", "0.8 s"]
    assert "ended with status 7" in lines[0]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("os.abort()", "was ended by SIGABRT while it was stopping"),
        ("os._exit(1)", "ended with status 1 while it was stopping"),
        ("os._exit(0)", None),
    ],
)
def test_a_child_that_fails_while_it_stops_is_told_of(end: str, said: str | None) -> None:
    """DuckDB's client of PostgreSQL ended storage so once; what its last checkpoint had covered stayed behind."""
    lines: list[str] = []
    child = keeper(
        f"import os, signal, time; signal.signal(15, lambda *_: {end}); print('{{}}', flush=True); time.sleep(60)",
        lines,
    )
    child.start()
    assert child.ready.wait(10)
    pid = child.pid

    child.ask_to_stop()
    child.wait_stopped(10)

    assert lines == ([f"child (process {pid}) {said}"] if said else [])


def test_a_child_that_does_not_stop_is_killed() -> None:
    lines: list[str] = []
    child = keeper(
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('{}', flush=True); time.sleep(60)",
        lines,
    )
    child.start()
    assert child.ready.wait(10)

    began_s = time.monotonic()
    child.ask_to_stop()
    child.wait_stopped(0.3)

    assert time.monotonic() - began_s < 5
    assert lines == ["child did not stop within 0.3 s: killed"]


def run_serve(*arguments: str) -> tuple[int, str]:
    from bindtrace.collector.serve_command import serve

    result = CliRunner().invoke(serve, list(arguments))
    return result.exit_code, result.stderr


@pytest.mark.parametrize("option", ["--grpc", "--http", "--api"])
def test_an_address_that_others_can_reach_needs_a_loud_option(option: str, tmp_path: Path) -> None:
    status, error = run_serve("--db", str(tmp_path / "t.duckdb"), option, "0.0.0.0:0")

    assert status == 2
    assert error.startswith(f"error: {option} 0.0.0.0:0 can be reached from other machines, in plaintext")
    assert "--insecure-listen" in error
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        status, error = run_serve("--db", str(tmp_path / "t.duckdb"), "--grpc", f"127.0.0.1:{port}")

    assert status == 2
    assert error.startswith(f"error: port {port} of 127.0.0.1 is in use")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_that_cannot_be_read_is_refused_before_anything_starts(tmp_path: Path) -> None:
    manifest = tmp_path / "bindtrace.toml"
    manifest.write_text('scope = "shop"\n[[grants]]\ncaller = \n')

    status, error = run_serve("--db", str(tmp_path / "t.duckdb"), "--manifest", str(manifest))

    assert status == 2
    assert error.startswith("error: ")
    assert f"{manifest}:3" in error
    assert "fix: " in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == [manifest]


def test_options_are_readable_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINDTRACE_DB", str(tmp_path / "t.duckdb"))
    monkeypatch.setenv("BINDTRACE_HTTP", "nowhere")

    assert run_serve() == (
        2,
        "error: `nowhere` is not an address. fix: write HOST:PORT, for example 127.0.0.1:4317\n",
    )
