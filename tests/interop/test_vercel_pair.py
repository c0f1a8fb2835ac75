"""Next.js with @vercel/otel calls FastAPI: by the binding, by the deployment's host, and with nothing of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from click.testing import CliRunner
from interop.vercel_pair import BINDING, HERE, MANIFEST, Pair, page, shop
from serving import Collector, collecting
from support import wait_for

from bindtrace.collector.doctor_command import doctor
from bindtrace.propagation.binding_header import Binding, serialize

# A first run builds three frontends.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WITH_OURS = {"OTEL_PROPAGATORS": "tracecontext,baggage,binding"}


class Seen(NamedTuple):
    """What one collector answered of one pair."""

    hops: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    doctor: dict[str, list[dict[str, str]]]
    public_host: str


def asked(collector: Collector, report: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"http://{collector.endpoints['api']}/api/reports/{report}", timeout=10)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found


def seen(collector: Collector, pair: Pair, hops: int) -> Seen:
    """Everything, once as many hops are there as the requests made."""
    wait_for(lambda: len(asked(collector, "hops")) >= hops, seconds=30, what=f"{hops} hops")
    done = CliRunner().invoke(doctor, ["--url", f"http://{collector.endpoints['api']}", "-f", "json"])
    lines: dict[str, list[dict[str, str]]] = {}
    for line in json.loads(done.output):
        lines.setdefault(line["question"], []).append(line)
    return Seen(asked(collector, "hops"), asked(collector, "findings"), lines, pair.public_host)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """As docs/senders.md says: one request by the binding, one by the pasted host."""
    folder = tmp_path_factory.mktemp("ours")
    frontend, backend = page("Next.js with `@vercel/otel`", "js"), page("FastAPI", "python")
    with (
        collecting(folder / "t.duckdb", "--manifest", str(MANIFEST), receivers=1) as collector,
        shop(folder, collector.endpoints["http"], frontend, backend, WITH_OURS, {}) as pair,
    ):
        pair.ask("/")
        pair.ask("/pasted")
        yield seen(collector, pair, 4)


def bare(folder: Path, *, propagated: bool) -> Seen:
    """Nothing of ours; `propagated`: the application's own list has the platform's internal name."""
    settings = {"PROPAGATE": f"http://{BINDING}"} if propagated else {}
    with (
        collecting(folder / "t.duckdb", "--manifest", str(MANIFEST), receivers=1) as collector,
        shop(
            folder,
            collector.endpoints["http"],
            (HERE / "bare.js").read_text(),
            (HERE / "bare.py").read_text(),
            {},
            settings,
        ) as pair,
    ):
        pair.ask("/")
        return seen(collector, pair, 2 if propagated else 3)


def between(seen: Seen) -> list[dict[str, Any]]:
    return [hop for hop in seen.hops if (hop["caller"], hop["callee"]) == ("frontend", "backend")]


def test_by_the_binding_variable_the_road_is_the_binding(ours: Seen) -> None:
    (hop,) = [hop for hop in between(ours) if hop["road"] == "binding"]

    assert (hop["binding"], hop["verdict"], hop["reason"], hop["grade"], hop["pairing"]) == (
        "BACKEND_URL", "allowed", "declared", "claimed", "parent",
    )  # fmt: skip


def test_by_the_deployments_host_public_route_names_the_variable_and_the_line(ours: Seen) -> None:
    (finding,) = [one for one in ours.findings if one["rule"] == "public-route"]
    public = [hop for hop in between(ours) if hop["road"] == "public"]

    assert [hop["trace_id"] for hop in public] == [finding["example"]["trace_id"]]
    assert (finding["caller"], finding["callee"], finding["count"]) == ("frontend", "backend", 1)
    assert f"call the address in BACKEND_URL instead of {ours.public_host}" in finding["fix"]
    assert finding["source"]["file"].endswith("vercel.json")
    assert finding["source"]["line"] == 6


def test_doctor_has_nothing_to_add(ours: Seen) -> None:
    assert [line["state"] for line in ours.doctor["do calls carry the binding header"]] == ["ok"]
    assert [line["state"] for line in ours.doctor["does the manifest match the names seen"]] == ["ok"]


def test_without_anything_of_ours_the_road_is_unknown_and_doctor_names_the_lines(tmp_path: Path) -> None:
    found = bare(tmp_path, propagated=True)

    (hop,) = between(found)
    assert (hop["road"], hop["pairing"]) == ("unknown", "parent")
    assert "public-route" not in {one["rule"] for one in found.findings}
    check_lines(found)


def test_without_even_propagation_the_callee_has_no_caller_and_doctor_names_the_lines(tmp_path: Path) -> None:
    found = bare(tmp_path, propagated=False)

    assert between(found) == []
    (entered,) = [hop for hop in found.hops if hop["callee"] == "backend"]
    assert (entered["caller"], entered["road"]) == (None, "unknown")
    assert "public-route" not in {one["rule"] for one in found.findings}
    check_lines(found)


def test_a_binding_that_is_not_propagated_to_is_named(tmp_path: Path) -> None:
    """All of ours but the one line that @vercel/otel needs to let the trace context out."""
    documented = page("Next.js with `@vercel/otel`", "js")
    frontend = documented.replace("[process.env.BACKEND_URL]", "[]")
    with (
        collecting(tmp_path / "t.duckdb", "--manifest", str(MANIFEST), receivers=1) as collector,
        shop(
            tmp_path, collector.endpoints["http"], frontend, page("FastAPI", "python"), WITH_OURS, {}
        ) as pair,
    ):
        pair.ask("/")
        found = seen(collector, pair, 3)

    (hop,) = between(found)
    assert (hop["road"], hop["binding"], hop["verdict"], hop["callee_span_id"]) == (
        "binding", "BACKEND_URL", "allowed", None,
    )  # fmt: skip
    (line,) = found.doctor["does the trace context cross the bindings"]
    assert "1 of 1 calls of frontend by BACKEND_URL are not taken up by backend" in line["evidence"]
    assert line["next"].rstrip(",") in documented


def test_attributes_from_headers_is_a_way_without_our_propagator(tmp_path: Path) -> None:
    """On Vercel: its runtime is a few lines here, all that reads it is real, and no header comes by HTTP."""
    settings = {
        "RECEIVED": serialize(
            Binding("gateway", "5b8efff798038103d269b633813fc60c", callee="frontend", hop=1)
        ),
        "NODE_OPTIONS": f"--require {HERE / 'hosts.cjs'} --require {HERE / 'request_context.cjs'}",
    }
    frontend, backend = page("Next.js with `@vercel/otel`", "js"), page("FastAPI", "python")
    with (
        collecting(tmp_path / "t.duckdb", "--manifest", str(MANIFEST), receivers=1) as collector,
        shop(tmp_path, collector.endpoints["http"], frontend, backend, WITH_OURS, settings) as pair,
    ):
        pair.ask("/")
        found = seen(collector, pair, 2)

    assert [hop["caller"] for hop in found.hops if hop["callee"] == "frontend"] == ["gateway"]


def check_lines(found: Seen) -> None:
    """The lines of the page that make it right, with this service's own names in them."""
    lines = {
        line["evidence"]: line["next"]
        for line in found.doctor["do calls carry the binding header"]
        if line["state"] == "warn"
    }
    assert set(lines) == {"not from frontend (@vercel/otel)", "not from backend (Python)"}
    frontend, backend = lines["not from frontend (@vercel/otel)"], lines["not from backend (Python)"]
    assert "serviceName: 'frontend'" in frontend
    assert "process.env.BACKEND_URL" in frontend
    assert "OTEL_PROPAGATORS=tracecontext,baggage,binding" in backend
    documented = page("Next.js with `@vercel/otel`", "js")
    for line in ("import { BindingPropagator", "propagators: ['auto'", "spanProcessors: ['auto'"):
        said = next(each.strip() for each in frontend.splitlines() if each.strip().startswith(line))
        assert said in documented
