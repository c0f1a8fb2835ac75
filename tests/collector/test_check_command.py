"""`bindtrace check`: its exit status is the verdict, its output the reasons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_requests import one_span
from support import fixture

from bindtrace.collector.check_command import check
from bindtrace.collector.import_command import import_files

MANIFEST = """\
scope = "shop"
[services.orders]
hosts = ["orders.internal"]
[services.ledger]
hosts = ["ledger.internal"]
[services.web]
[[grants]]
caller = "web"
callee = "ledger"
"""


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(check, [str(argument) for argument in arguments], input=stdin)


def call(caller: str, callee: str, host: str) -> ExportTraceServiceRequest:
    """One call between two services, seen from both sides."""
    client, server = one_span(1, service=caller, url__full=f"http://{host}/x"), one_span(2, service=callee)
    client.resource_spans[0].scope_spans[0].spans[0].kind = Span.SPAN_KIND_CLIENT
    answered = server.resource_spans[0].scope_spans[0].spans[0]
    answered.parent_span_id = (1).to_bytes(8, "big")
    answered.flags = 0x301
    client.MergeFrom(server)
    return client


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "bindtrace.toml"
    path.write_text(MANIFEST)
    return path


@pytest.fixture
def undeclared(tmp_path: Path) -> Path:
    path = tmp_path / "undeclared.json"
    path.write_text(json.dumps(MessageToDict(call("orders", "ledger", "ledger.internal"))))
    return path


@pytest.fixture
def declared(tmp_path: Path) -> Path:
    path = tmp_path / "declared.json"
    path.write_text(json.dumps(MessageToDict(call("web", "ledger", "ledger.internal"))))
    return path


def rules(result: Result) -> list[tuple[Any, ...]]:
    return [(row["rule"], row["caller"], row["callee"]) for row in json.loads(result.stdout)]


def test_an_undeclared_call_fails(undeclared: Path, manifest: Path) -> None:
    result = run(undeclared, "--manifest", manifest, "-f", "json")

    assert result.exit_code == 1
    assert ("undeclared-call", "orders", "ledger") in rules(result)


def test_a_declared_call_passes(declared: Path, manifest: Path) -> None:
    result = run(declared, "--manifest", manifest, "-f", "json")

    assert result.exit_code == 0
    assert "undeclared-call" not in {row["rule"] for row in json.loads(result.stdout)}


def test_without_a_manifest_nothing_is_undeclared(undeclared: Path) -> None:
    result = run(undeclared, "-f", "json")

    assert "undeclared-call" not in {row["rule"] for row in json.loads(result.stdout)}
    assert "verdicts are unknown" in result.stderr


def test_the_bar_decides_what_fails(undeclared: Path, manifest: Path) -> None:
    severe = run(undeclared, "--manifest", manifest, "--fail-on", "critical")
    sure = run(undeclared, "--manifest", manifest, "--min-grade", "proven")

    assert (severe.exit_code, sure.exit_code) == (0, 0)
    assert "undeclared-call" in severe.stdout
    assert "0 of 1 findings are critical or worse and claimed or surer: passed" in severe.stderr


def test_a_rule_in_preview_is_shown_and_fails_only_where_asked_to(declared: Path, manifest: Path) -> None:
    manifest.write_text(MANIFEST.replace("[services.web]", 'only_through = ["checkout"]\n[services.web]'))

    shown = run(declared, "--manifest", manifest, "-f", "json")
    asked = run(declared, "--manifest", manifest, "--preview", "-f", "json")

    assert ("entry-rule", "web", "ledger") in rules(shown)
    assert (shown.exit_code, asked.exit_code) == (0, 1)


def test_an_exception_silences_and_passes(undeclared: Path, manifest: Path) -> None:
    manifest.write_text(
        MANIFEST + '[[exceptions]]\nrule = "undeclared-call"\nreason = "moves soon"\nuntil = 2200-01-01\n'
    )

    result = run(undeclared, "--manifest", manifest, "-f", "json")

    assert result.exit_code == 0
    assert [row["silenced_until"] is not None for row in json.loads(result.stdout)] == [True]


def test_a_table_explains_each_finding(undeclared: Path, manifest: Path) -> None:
    result = run(undeclared, "--manifest", manifest)

    assert "orders → ledger" in result.stdout
    assert "what to do" in result.stdout
    assert "judged 2 spans" in result.stderr


def test_recorded_traces_are_judged_without_error() -> None:
    names = ("envoy-span", "envoy-denied-spans", "node-gateway-span", "python-asgi-span")
    files = [fixture(f"captured/{name}.json") for name in names]

    result = run(*files, "-f", "json")

    assert result.exit_code in (0, 1)
    assert isinstance(json.loads(result.stdout), list)


def test_standard_input_is_judged(declared: Path, manifest: Path) -> None:
    assert run("-", "--manifest", manifest, stdin=declared.read_bytes()).exit_code == 0


def test_a_database_is_judged_as_it_was_stored(undeclared: Path, manifest: Path, tmp_path: Path) -> None:
    db = tmp_path / "traces.duckdb"
    CliRunner().invoke(import_files, [str(undeclared), "--db", str(db), "--manifest", str(manifest)])

    result = run("--db", db, "-f", "json")

    assert result.exit_code == 1
    assert ("undeclared-call", "orders", "ledger") in rules(result)


def test_declarations_are_judged_without_traffic(manifest: Path) -> None:
    result = run("--no-traffic", "--manifest", manifest, "-f", "json")

    assert result.exit_code in (0, 1)
    assert all(row["example"] is None for row in json.loads(result.stdout))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent.json"], "cannot read absent.json"),
        (["--no-traffic"], "nothing to judge"),
        (["--db", "absent.duckdb"], "no database at absent.duckdb"),
        (["--manifest", "absent.toml", "-"], "absent.toml"),
        (["x.json", "--db", "y.duckdb"], "but not both"),
        (["x.json", "--no-traffic"], "--no-traffic judges manifests alone"),
        (["--fail-on", "awful"], "awful"),
    ],
)
def test_what_cannot_be_judged_is_status_2(arguments: list[str], said: str) -> None:
    result = run(*arguments, stdin=b"")

    assert result.exit_code == 2
    assert said in result.stderr


def test_manifests_do_not_rejudge_what_is_stored(manifest: Path) -> None:
    result = run("--manifest", manifest)

    assert result.exit_code == 2
    assert "name recorded files to judge by these" in result.stderr
