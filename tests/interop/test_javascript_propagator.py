"""The JavaScript propagator and span processor in a real Node.js SDK, set up as docs/senders.md says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from interop.peers import peer
from interop.vercel_pair import ROOT, page
from serving import collecting

from bindtrace.propagation.binding_header import Binding, parse, serialize
from bindtrace.queries.database import open_database

pytestmark = pytest.mark.slow
CHAIN = "5b8efff798038103d269b633813fc60c"
LEDGER = "http://ledger.internal:9106"
FULL = {"caller": "orders", "env": "production", "deployment": "v7"}


class Case(NamedTuple):
    """What a call sent, and the stamps of its span as stored."""

    headers: dict[str, str]
    trace: str
    stamps: dict[str, Any]

    @property
    def claim(self) -> object:
        return parse([self.headers["service-binding"]])


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    folder = tmp_path_factory.mktemp("javascript")
    (folder / "node_modules").symlink_to(peer("node"))
    (folder / "otel.mjs").write_text(page("Node.js", "js"))
    shutil.copy(ROOT / "propagation" / "js" / "service-binding.mjs", folder)
    shutil.copy(Path(__file__).parent / "javascript_cases.mjs", folder)
    with collecting(folder / "t.duckdb", receivers=1) as collector:
        settings = {
            "PATH": os.environ["PATH"],
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.endpoints['http']}",
            "OTEL_SERVICE_NAME": "orders",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=production,service.version=v7",
            "BINDTRACE_BINDINGS": "LEDGER_URL=ledger",
            "LEDGER_URL": LEDGER,
            "INBOUND": serialize(Binding("storefront", CHAIN, callee="orders", env="preview", hop=3)),
            "DEEPEST": serialize(Binding("storefront", CHAIN, hop=64)),
        }
        done = subprocess.run(
            ["node", "javascript_cases.mjs"], cwd=folder, env=settings, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert collector.stop() == 0
    stamps = stamps_of(folder / "t.duckdb")
    said = json.loads(done.stdout) | {"served 3": {"headers": {}}}
    return {
        name: Case(one["headers"], one.get("trace", ""), stamps.get(name, {})) for name, one in said.items()
    }


def stamps_of(db: Path) -> dict[str, dict[str, Any]]:
    con = open_database(db)
    rows = con.execute(
        "select coalesce(attributes ->> '$.case', 'served ' || claimed_hop), binding_name, claimed_caller, "
        "claimed_callee, claimed_chain, claimed_hop, claimed_env from spans where kind in (2, 3)"
    ).fetchall()
    con.close()
    names = ("binding", "caller", "callee", "chain", "hop", "env")
    return {
        row[0]: {name: value for name, value in zip(names, row[1:], strict=True) if value is not None}
        for row in rows
        if row[0] is not None
    }


def test_a_first_caller_claims_itself_its_binding_and_its_trace(cases: dict[str, Case]) -> None:
    case = cases["first"]

    assert case.claim == Binding(**FULL, chain=case.trace, callee="ledger", hop=1)
    assert case.stamps == {"binding": "LEDGER_URL", "callee": "ledger", "chain": case.trace, "hop": 1}


def test_a_call_elsewhere_has_no_callee_and_no_binding(cases: dict[str, Case]) -> None:
    case = cases["elsewhere"]

    assert case.claim == Binding(**FULL, chain=case.trace, hop=1)
    assert case.stamps == {"chain": case.trace, "hop": 1}


@pytest.mark.parametrize("name", ["late", "old-names", "spelled"])
def test_the_binding_is_known_however_the_url_comes_and_the_header_is_one_line(
    cases: dict[str, Case], name: str
) -> None:
    case = cases[name]

    assert set(case.headers) == {"traceparent", "service-binding"}
    assert case.claim == Binding(**FULL, chain=case.trace, callee="ledger", hop=1)
    assert case.stamps == {"binding": "LEDGER_URL", "callee": "ledger", "chain": case.trace, "hop": 1}


def test_a_query_of_a_database_is_not_stamped(cases: dict[str, Case]) -> None:
    assert cases["database"].stamps == {}


def test_the_next_hop_keeps_the_chain_and_counts(cases: dict[str, Case]) -> None:
    assert cases["next"].claim == Binding(**FULL, chain=CHAIN, callee="ledger", hop=4)
    assert cases["next"].stamps["chain"] == CHAIN


def test_a_served_call_is_stamped_with_its_callers_claim(cases: dict[str, Case]) -> None:
    assert cases["served 3"].stamps == {
        "caller": "storefront", "callee": "orders", "chain": CHAIN, "hop": 3, "env": "preview",
    }  # fmt: skip


def test_the_deepest_hop_stays_the_last_number(cases: dict[str, Case]) -> None:
    assert cases["deepest"].claim == Binding(**FULL, chain=CHAIN, callee="ledger", hop=64)


@pytest.mark.parametrize("name", ["malformed", "twice"])
def test_what_is_no_claim_starts_a_chain_of_its_own(cases: dict[str, Case], name: str) -> None:
    assert cases[name].claim == Binding(**FULL, chain=cases[name].trace, callee="ledger", hop=1)


def test_a_call_that_is_not_sampled_sends_the_least(cases: dict[str, Case]) -> None:
    assert cases["unsampled"].claim == Binding("orders", cases["unsampled"].trace, hop=1)


def test_without_a_trace_nothing_is_claimed(cases: dict[str, Case]) -> None:
    assert cases["untraced"].headers == {}
