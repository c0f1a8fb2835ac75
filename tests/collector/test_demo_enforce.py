"""The demo with guards: six credentials that none of them takes, refused, and then served for the same reasons."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bindtrace.collector.demo import traffic
from bindtrace.queries.query import Query
from bindtrace.queries.render import table
from bindtrace.queries.source import open_source

BINDTRACE = (sys.executable, "-c", "from bindtrace.propagation.command import main; main()")
REASONS = {
    "forged": "signature_invalid",
    "replayed": "pop_replayed",
    "expired": "expired",
    "wrong-audience": "callee_mismatch",
    "wrong-certificate": "peer_id_mismatch",
    "missing": "credential_missing",
}


# Twenty seconds of CPU on a machine of which others may have most.
pytestmark = pytest.mark.timeout(300)


class Played(NamedTuple):
    """What one `bindtrace demo --enforce --once -f json` left."""

    attacks: dict[str, dict[str, Any]]
    hops: list[dict[str, Any]]
    findings: list[dict[str, Any]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    db = tmp_path_factory.mktemp("enforced") / "traces.duckdb"
    with (Path(tempfile.gettempdir()) / "bindtrace-demo-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [*BINDTRACE, "demo", "--enforce", "--once", f"--db={db}", "-f", "json"],
            capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    source = open_source(db, None)
    try:
        hops, findings = source.rows("hops", Query()), source.rows("findings", Query(settled=True))
    finally:
        source.close()
    return Played({row["attack"]: row for row in json.loads(done.stdout)}, hops, findings)


@pytest.mark.slow
@pytest.mark.parametrize("attack", REASONS)
def test_each_bad_credential_is_refused_and_then_served_for_the_same_reason(
    played: Played, attack: str
) -> None:
    enforce, observe = played.attacks[attack]["enforce"], played.attacks[attack]["observe"]

    assert (enforce["status"], enforce["outcome"], enforce["reason"]) == (403, "refused", REASONS[attack])
    assert (observe["status"], observe["outcome"], observe["reason"]) == (200, "passed", REASONS[attack])


@pytest.mark.slow
@pytest.mark.parametrize("attack", REASONS)
def test_each_refusal_is_a_hop_of_the_chain_that_led_to_it(played: Played, attack: str) -> None:
    trace_id = played.attacks[attack]["enforce"]["trace_id"]
    chain = [hop for hop in played.hops if hop["trace_id"] == trace_id]

    assert {(hop["caller"], hop["callee"]) for hop in chain} == {
        (None, "storefront"),
        ("storefront", "orders"),
        ("orders", "inventory"),
    }
    assert [(hop["callee"], hop["reason"]) for hop in chain if hop["verdict"] == "denied"] == [
        ("inventory", REASONS[attack])
    ]


@pytest.mark.slow
def test_each_refusal_is_a_finding_with_its_reason(played: Played) -> None:
    messages = {finding["rule"]: finding["message"] for finding in played.findings}

    assert set(messages) == {
        "caller-mismatch", "credential-replay", "rejected-credential", "unauthenticated-call", "unauthorized-call",
    }  # fmt: skip
    assert "(expired, peer_id_mismatch, signature_invalid)" in messages["rejected-credential"]
    assert "(callee_mismatch)" in messages["unauthorized-call"]
    assert {(finding["caller"], finding["callee"]) for finding in played.findings} == {
        ("orders", "inventory")
    }


@pytest.mark.slow
def test_every_good_call_is_proven(played: Played) -> None:
    good = [hop for hop in played.hops if hop["reason"] == "ok" and hop["caller"] is not None]

    assert good
    # a proof that is shown twice is good once
    assert {hop["grade"] for hop in good} == {"proven"}
    assert {hop["protection"] for hop in good} == {"mtls"}


@pytest.mark.slow
def test_the_edge_that_shows_its_own_token_is_no_caller(played: Played) -> None:
    assert {hop["caller"] for hop in played.hops} == {None, "storefront", "catalog", "orders", "billing"}


def test_a_row_shows_what_both_modes_made_of_it() -> None:
    answer = {"outcome": "refused", "status": 403, "reason": "expired", "trace_id": "ab" * 16}
    row = {
        "attack": "expired", "means": traffic.ATTACKS["expired"], "caller": "orders", "callee": "inventory",
        "enforce": answer, "observe": {**answer, "outcome": "passed", "status": 200},
    }  # fmt: skip

    shown = str(table("demo-enforce", [row]))

    assert "refused 403  passed 200  expired" in shown
