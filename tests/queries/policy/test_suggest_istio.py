"""`bindtrace policy suggest --platform istio`: policies that let through just the calls that were seen."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from drawing import CLIENT, SERVER, draw, span
from suggesting import call, run

from bindtrace.propagation.platforms import read_manifest, read_manifests
from bindtrace.queries.analyse import analyse
from bindtrace.queries.database import open_database
from bindtrace.queries.least_privilege import for_istio, needed_of
from bindtrace.queries.rejudging import rejudge

WORKLOADS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: ledger, namespace: shop}
spec:
  template:
    metadata: {labels: {app: ledger, tier: data}}
    spec: {serviceAccountName: ledger}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {serviceAccountName: web-account}
"""
CRON = "spiffe://corp.example/ns/jobs/sa/cron"


def istio(tmp_path: Path, *calls: dict[str, Any]) -> tuple[str, dict[tuple[str, str], str]]:
    """The text of the policies for these calls, and what was left out with its reason."""
    (tmp_path / "workloads.yaml").write_text(WORKLOADS)
    needed, unsure = needed_of(calls, "claimed")
    (one,), left = for_istio("p.yaml", read_manifests([tmp_path / "workloads.yaml"]), needed, unsure, calls)
    return one.after, {(it.needed.caller, it.needed.callee): it.why for it in left}


def verdicts(tmp_path: Path, text: str, *calls: dict[str, Any]) -> list[str]:
    (tmp_path / "policies.yaml").write_text(text)
    manifests = read_manifests([tmp_path / "policies.yaml", tmp_path / "workloads.yaml"])
    return [judged.verdict for judged in rejudge(calls, manifests)]


def test_istios_policies_let_through_just_the_calls_that_were_seen(tmp_path: Path) -> None:
    by_cron = call("cron.jobs", "ledger.shop", method="POST", peer_caller=CRON)
    seen = [call("web.shop", "ledger.shop"), by_cron]

    text, left = istio(tmp_path, *seen)

    others = [
        call("web.shop", "ledger.shop", method="POST"),
        by_cron | {"method": "GET"},
        call("web.shop", "ledger.shop", peer_caller="spiffe://cluster.local/ns/shop/sa/other"),
    ]
    assert verdicts(tmp_path, text, *seen) == ["allowed", "allowed"]
    assert verdicts(tmp_path, text, *others) == ["denied", "denied", "denied"]
    assert left == {}
    assert 'principals: ["cluster.local/ns/shop/sa/web-account"]' in text
    assert "tier" not in text


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (call("stranger.shop", "ledger.shop"), "the account of stranger.shop is not known"),
        (call("cron.jobs", "ledger.shop", grade="inferred"), "a policy would refuse cron.jobs"),
        (call(None, "ledger.shop"), "the outside calls ledger.shop too"),  # type: ignore[arg-type]
    ],
)
def test_a_callee_whose_callers_cannot_all_be_named_gets_no_policy(
    tmp_path: Path, more: dict[str, Any], why: str
) -> None:
    text, left = istio(tmp_path, call("web.shop", "ledger.shop"), more)

    assert text == ""
    assert why in left["web.shop", "ledger.shop"]


def test_names_from_telemetry_stay_texts_in_yaml(tmp_path: Path) -> None:
    hostile = call("a\nkind: Pod # .x", "on.shop", peer_caller="spiffe://d/ns/n/sa/a", method='GET"]')

    text, _ = istio(tmp_path, hostile)

    assert text.count("\nkind:") == 1
    assert 'app: "on"' in text
    assert verdicts(tmp_path, text, hostile) == ["allowed"]


@pytest.mark.slow
def test_istios_policies_are_a_patch_that_makes_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "workloads.yaml").write_text(WORKLOADS)
    db = tmp_path / "mesh.duckdb"
    con = open_database(db)
    asked = {"http_method": "GET", "url_path": "/x"}
    draw(con, span("web.shop", CLIENT, 1, **asked), span("ledger.shop", SERVER, 2, 1, **asked))
    analyse(con)
    con.close()

    result = run("--db", db, "--manifest", tmp_path / "workloads.yaml", "--platform", "istio")
    subprocess.run(
        ["patch", "-p1"], input=result.stdout, cwd=tmp_path, check=True, capture_output=True, text=True
    )

    assert result.stdout.startswith("--- /dev/null\n+++ b/bindtrace-policies.yaml\n")
    assert [policy.name for policy in read_manifest(tmp_path / "bindtrace-policies.yaml").policies] == [
        "ledger-callers"
    ]
