"""Policy as of the call: which revision a call is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import duckdb
import pytest
from drawing import CLIENT, NOON, SECOND, SERVER, draw, span
from shop_policy import settings, vercel

from bindtrace.propagation.manifest import Manifest
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.policy import install_policy, policy_digest
from bindtrace.queries.query import Query

Con = duckdb.DuckDBPyConnection
NARROW = vercel()
WIDE = replace(
    NARROW,
    revision="2b",
    grants=(*NARROW.grants, replace(NARROW.grants[0], caller="storefront", callee="ledger", line=30)),
)


def call(con: Con, trace: int, at_s: float, *, deployment: str | None = None) -> None:
    draw(
        con,
        span("storefront", CLIENT, 1, trace=trace, at_ms=at_s * 1e3, deployment=deployment),
        span("ledger-api", SERVER, 2, 1, trace=trace, at_ms=at_s * 1e3, deployment=deployment),
    )


def give(con: Con, manifests: Sequence[Manifest], at_s: float) -> None:
    install_policy(con, [*manifests, settings()], NOON + int(at_s * SECOND))


def verdicts(con: Con) -> list[str]:
    analyse(con)
    rows = con.execute("select verdict from hops where caller = 'storefront' order by trace_id").fetchall()
    return [verdict for (verdict,) in rows]


def test_a_call_is_judged_by_the_revision_in_force_at_its_time(con: Con) -> None:
    give(con, [NARROW], 0)
    give(con, [WIDE], 100)
    give(con, [NARROW], 200)

    for trace, at_s in enumerate((50, 150, 250), 1):
        call(con, trace, at_s)

    assert verdicts(con) == ["denied", "allowed", "denied"]


def test_what_was_judged_stays_judged_when_a_new_revision_comes(con: Con) -> None:
    give(con, [NARROW], 0)
    call(con, 1, 50)
    assert verdicts(con) == ["denied"]

    give(con, [WIDE], 100)
    call(con, 2, 150)

    assert verdicts(con) == ["denied", "allowed"]


def test_a_file_of_which_nothing_older_is_known_counts_from_the_beginning(con: Con) -> None:
    call(con, 1, 50)

    give(con, [WIDE], 100)

    assert verdicts(con) == ["allowed"]


def test_a_revision_that_is_given_no_longer_ends(con: Con) -> None:
    give(con, [WIDE], 0)
    give(con, [], 100)

    call(con, 1, 50)
    call(con, 2, 150)

    assert verdicts(con) == ["allowed", "unknown"]


def test_a_file_that_only_moved_is_the_same_revision(con: Con) -> None:
    give(con, [WIDE], 0)
    give(con, [replace(WIDE, file="elsewhere/vercel.json")], 100)

    (row,) = con.execute(
        "select file, in_force_from_unix_nano, in_force_until_unix_nano from manifests where platform = 'vercel'"
    ).fetchall()
    assert row == ("elsewhere/vercel.json", 0, None)


def test_a_deployments_own_manifest_judges_its_calls_whenever_they_were_made(con: Con) -> None:
    give(con, [NARROW, replace(WIDE, file="deploy-manifest.json", deployment="dpl_9")], 0)

    call(con, 1, 50, deployment="dpl_9")
    call(con, 2, 60, deployment="dpl_8")

    # of an unknown deployment both that were in force may speak
    assert verdicts(con) == ["allowed", "allowed"]
    give(con, [NARROW], 70)
    call(con, 3, 80, deployment="dpl_9")
    call(con, 4, 90, deployment="dpl_8")
    assert verdicts(con) == ["allowed", "allowed", "allowed", "denied"]


def test_a_deployments_own_manifest_does_not_borrow_what_another_revision_declares(con: Con) -> None:
    give(con, [replace(NARROW, file="deploy-manifest.json", deployment="dpl_9"), WIDE], 0)

    call(con, 1, 50, deployment="dpl_9")

    assert verdicts(con) == ["denied"]


def test_the_same_files_given_again_change_nothing(con: Con) -> None:
    give(con, [NARROW], 0)
    before = policy_digest(con)

    give(con, [NARROW], 100)

    assert policy_digest(con) == before


def test_a_failed_installation_leaves_the_policy_as_it_was(con: Con) -> None:
    give(con, [NARROW], 0)
    before = policy_digest(con)
    broken = replace(WIDE, grants=(replace(WIDE.grants[0], line="not a line"),))  # type: ignore[arg-type]

    with pytest.raises(duckdb.Error):
        give(con, [broken], 100)

    assert policy_digest(con) == before


def test_grants_show_the_revision_that_was_in_force_in_the_window(con: Con) -> None:
    give(con, [WIDE], 0)
    give(con, [NARROW], 100)
    call(con, 1, 50)
    analyse(con)

    def shown(**window: int) -> set[tuple[str, str, str, int]]:
        rows = run_report(con, "grants", Query(**window))
        return {(row["caller"], row["callee"], row["revision"], row["calls"]) for row in rows}

    assert ("storefront", "ledger", "2b", 1) in shown()
    assert ("storefront", "orders", "1", 0) in shown()
    later = shown(since_unix_nano=NOON + 150 * SECOND)
    assert not any(callee == "ledger" and caller == "storefront" for caller, callee, *_ in later)
    assert len(later) == len(NARROW.grants)
