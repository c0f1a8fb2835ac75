"""What `doctor` tells each sender to add, on what real ones have sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from otlp_requests import one_span
from support import fixture

from bindtrace.collector.doctor_command import doctor
from bindtrace.collector.import_command import import_files
from bindtrace.collector.instrumenting import INJECTED, LINES, broken, missing
from bindtrace.queries.catalog import run_report
from bindtrace.queries.database import open_database
from bindtrace.queries.query import Query

QUESTION = "do calls carry the binding header"


def imported(tmp_path: Path, recording: Path) -> Path:
    db = tmp_path / "t.duckdb"
    done = CliRunner().invoke(import_files, ["--db", str(db), str(recording)])
    assert done.exit_code == 0, done.output
    return db


def told(db: Path) -> dict[str, str]:
    """What doctor names to add, by whom it says it of."""
    done = CliRunner().invoke(doctor, ["--db", str(db), "-f", "json"])
    return {
        line["evidence"]: line["next"] for line in json.loads(done.output) if line["question"] == QUESTION
    }


def senders(db: Path) -> set[tuple[str, str]]:
    con = open_database(db)
    try:
        return {(row["service"], row["sender"]) for row in run_report(con, "instrumentation", Query())}
    finally:
        con.close()


def request(service: str, **resource: str) -> ExportTraceServiceRequest:
    made = one_span(1)
    named = {"service.name": service, **{key.replace("__", "."): value for key, value in resource.items()}}
    attributes = made.resource_spans[0].resource.attributes
    del attributes[:]
    attributes.extend(KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in named.items())
    return made


def stored(tmp_path: Path, made: ExportTraceServiceRequest) -> Path:
    recording = tmp_path / "made.pb"
    recording.write_bytes(made.SerializeToString())
    return imported(tmp_path, recording)


@pytest.mark.parametrize(
    ("recording", "services", "lines"),
    [
        ("captured/envoy-span.json", "edge, orders (Envoy)", "request_header: {name: service-binding}"),
        ("captured/node-gateway-span.json", "node-gw (Node.js)", "new BindingPropagator()"),
        ("captured/python-asgi-span.json", "orders (Python)", "OTEL_PROPAGATORS=tracecontext,baggage,binding"),
        (
            "kiali-istio-trace/otlp/responseTrace.otlp.json",
            "(Istio's proxies)", "http.request.header.service-binding:",
        ),
    ],
)  # fmt: skip
def test_real_senders_are_told_their_own_lines(
    tmp_path: Path, recording: str, services: str, lines: str
) -> None:
    named = told(imported(tmp_path, fixture(recording)))

    ((evidence, step),) = named.items()
    assert services in evidence
    assert lines in step


def test_workers_own_tracing_is_told_to_bring_its_manifest(tmp_path: Path) -> None:
    """Attributes as Cloudflare documents them (workers/observability/traces/spans-and-attributes)."""
    db = stored(
        tmp_path,
        request(
            "checkout", cloud__provider="cloudflare", cloud__platform="cloudflare.workers",
            telemetry__sdk__name="cloudflare", telemetry__sdk__language="javascript",
        ),
    )  # fmt: skip

    ((evidence, step),) = told(db).items()
    assert evidence == "not from checkout (Cloudflare Workers)"
    assert "--manifest wrangler.jsonc" in step


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ({"cloud__provider": "vercel"}, "vercel"),
        ({"vercel__projectId": "prj_1"}, "vercel"),
        ({"cloud__provider": "vercel", "telemetry__sdk__language": "python"}, "python"),
        ({"telemetry__sdk__language": "java"}, "java"),
        ({"telemetry__sdk__name": "envoy", "istio__mesh_id": "m"}, "istio"),
        ({}, "unknown"),
    ],
)
def test_kinds_of_senders(tmp_path: Path, resource: dict[str, str], kind: str) -> None:
    assert senders(stored(tmp_path, request("orders", **resource))) == {("orders", kind)}


def row(service: str, sender: str, with_binding: int = 0) -> dict[str, Any]:
    return {"service": service, "sender": sender, "spans": 9, "with_binding": with_binding}


def test_vercel_is_told_the_variables_of_its_own_bindings() -> None:
    grants = [
        {"caller": "shop", "callee": "ledger", "binding": "LEDGER_URL"},
        {"caller": "shop", "callee": "stock", "binding": "STOCK_URL"},
        {"caller": "other", "callee": "stock", "binding": "OTHER_URL"},
        {"caller": "shop", "callee": "bank", "binding": None},
    ]

    ((_, _, lines),) = missing([row("shop", "vercel")], grants)

    assert "process.env.LEDGER_URL, process.env.STOCK_URL]" in lines
    assert "serviceName: 'shop'" in lines


def test_a_service_whose_proxy_or_own_sdk_carries_it_is_left_alone() -> None:
    assert missing([row("orders", "python", 1), row("orders", "istio")], []) == []


def test_a_service_behind_a_proxy_is_told_about_itself_first() -> None:
    (one,) = missing([row("orders", "envoy"), row("orders", "python")], [])

    assert one.sender == "Python"


def test_services_that_need_the_same_lines_are_told_once() -> None:
    (one,) = missing([row("a", "python"), row("b", "python")], [])

    assert one.services == ("a", "b")


def test_lines_fit_a_terminal_so_that_they_can_be_copied() -> None:
    assert max(len(line) for text in LINES.values() for line in text.splitlines()) <= 92


def crossing(unanswered: int) -> list[dict[str, Any]]:
    return [{"caller": "shop", "binding": "STOCK_URL", "calls": 10, "unanswered": unanswered}]


GRANTED = [{"caller": "shop", "callee": "stock", "binding": "STOCK_URL"}]


def test_vercel_is_told_which_urls_to_propagate_to() -> None:
    (one,) = broken(crossing(10), GRANTED, [row("shop", "vercel", 1), row("stock", "python", 1)])

    assert (one.callee, one.step) == (
        "stock", "instrumentationConfig: { fetch: { propagateContextUrls: [process.env.STOCK_URL] } },",
    )  # fmt: skip


def test_others_are_told_to_look_at_what_they_send() -> None:
    (one,) = broken(crossing(10), GRANTED, [row("shop", "python", 1), row("stock", "python", 1)])

    assert one.step == INJECTED


def test_a_callee_that_sends_no_spans_and_a_few_lost_calls_are_no_broken_crossing() -> None:
    assert not list(broken(crossing(10), GRANTED, [row("shop", "vercel", 1)]))
    assert not list(broken(crossing(5), GRANTED, [row("shop", "vercel", 1), row("stock", "python", 1)]))
    assert not list(broken(crossing(10), [], [row("shop", "vercel", 1), row("stock", "python", 1)]))
