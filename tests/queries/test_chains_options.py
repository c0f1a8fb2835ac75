"""`bindtrace chains` narrowed by service and judgement, and beside an earlier window."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click.testing
import duckdb
import pytest
from drawing import CLIENT, DAY_MS, SERVER, draw, span
from drawn_shop import write_shop

from bindtrace.propagation.command import bindtrace
from bindtrace.queries.analyse import analyse
from bindtrace.queries.catalog import run_report
from bindtrace.queries.comparing import compared
from bindtrace.queries.database import open_database
from bindtrace.queries.query import Query

NOON_S = 1_790_000_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("chains") / "shop.duckdb")


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day, and the day before: `a → gone` ended, `a → new` began, `a → slow` slowed down, `a → same` did not."""
    path = tmp_path_factory.mktemp("compare") / "days.duckdb"
    con = open_database(path)
    call(con, 1, "gone", day=-1)
    call(con, 2, "slow", day=-1)
    call(con, 3, "same", day=-1)
    call(con, 4, "slow", day=0, ms=40)
    call(con, 5, "same", day=0, ms=22)
    call(con, 6, "new", day=0)
    con.execute(
        "insert into spans select spans.* "
        "replace ((printf('%08x', n) || substr(trace_id::varchar, 9))::uuid as trace_id) "
        "from spans, range(1, 20) as copies(n)"
    )
    analyse(con)
    con.close()
    return path


def call(con: duckdb.DuckDBPyConnection, trace: int, callee: str, *, day: int, ms: float = 20) -> None:
    at = day * DAY_MS + trace
    draw(
        con,
        span("a", SERVER, 1, trace=trace, at_ms=at, ms=ms),
        span("a", CLIENT, 2, 1, trace=trace, at_ms=at + 1, ms=ms - 2),
        span(callee, SERVER, 3, 2, trace=trace, at_ms=at + 2, ms=ms - 4),
    )


def run(*words: str | Path, status: int = 0) -> click.testing.Result:
    result = click.testing.CliRunner().invoke(
        bindtrace, [str(word) for word in words], auto_envvar_prefix="BINDTRACE"
    )
    assert result.exit_code == status, result.output
    return result


def signatures(*words: str | Path) -> set[str]:
    rows: list[dict[str, Any]] = json.loads(run("chains", *words, "-f", "json").stdout)
    return {" ".join(row["signature"]) for row in rows}


def test_through_a_service_is_anywhere_on_the_path(shop: Path) -> None:
    assert signatures("--db", shop, "--through", "orders") == {
        "storefront orders inventory",
        "orders inventory",
    }


def test_from_a_service_is_where_the_path_begins(shop: Path) -> None:
    assert signatures("--db", shop, "--from", "orders") == {"orders inventory"}


def test_to_a_service_is_where_the_path_ends(shop: Path) -> None:
    assert signatures("--db", shop, "--to", "catalog") == {"storefront catalog"}


def test_narrowings_are_joined_by_and(shop: Path) -> None:
    assert signatures("--db", shop, "--through", "orders", "--from", "storefront", "--to", "inventory") == {
        "storefront orders inventory"
    }


def test_only_violations_are_those_denied_or_public_inside(shop: Path) -> None:
    assert signatures("--db", shop, "--only-violations") == {"storefront ledger", "orders inventory"}


def test_a_search_in_vain_says_what_was_looked_for(shop: Path) -> None:
    result = run("chains", "--db", shop, "--through", "nobody", "--only-violations")

    assert "no chains" in result.stderr
    assert "through nobody, only violations" in result.stderr


def test_the_limit_counts_what_is_left_after_narrowing(shop: Path) -> None:
    result = run("chains", "--db", shop, "--to", "inventory", "--limit", "1", "-f", "jsonl")

    assert len(result.stdout.splitlines()) == 1
    assert "cut after 1 row;" in result.stderr


def test_compared_windows_show_what_is_new_gone_and_slower(two_days: Path) -> None:
    words = ("chains", "--db", two_days, "--compare", "1d", "--until", f"{NOON_S + 3600}")
    rows = json.loads(run(*words, "-f", "json").stdout)

    assert [(row["signature"][-1], row["status"], row["calls"], row["earlier_calls"]) for row in rows] == [
        ("new", "new", 20, 0), ("gone", "gone", 0, 20), ("slow", "slower", 20, 20), ("same", "same", 20, 20),
    ]  # fmt: skip
    assert [row["earlier_p95_ms"] for row in rows] == [None, 20.0, 20.0, 20.0]


def test_compared_windows_are_as_long_as_asked_with_since(two_days: Path) -> None:
    """The hour from noon beside the same hour of the day before."""
    words = (
        "chains",
        "--db",
        two_days,
        "--compare",
        "1d",
        "--since",
        f"{NOON_S}",
        "--until",
        f"{NOON_S + 3600}",
    )

    assert "slower" in run(*words).stdout


def test_a_comparison_narrows_both_windows(two_days: Path) -> None:
    words = ("chains", "--db", two_days, "--compare", "1d", "--until", f"{NOON_S + 3600}", "--to", "gone")

    assert [row["status"] for row in json.loads(run(*words, "-f", "json").stdout)] == ["gone"]


def test_the_table_of_chains_has_no_status_without_a_comparison(shop: Path) -> None:
    assert "STATUS" not in run("chains", "--db", shop).stdout


def test_a_length_that_is_none_is_refused_in_one_line(shop: Path) -> None:
    result = run("chains", "--db", shop, "--compare", "yesterday", status=2)

    assert "`yesterday` is not a length of time" in result.stderr


def row(**more: Any) -> dict[str, Any]:
    return {
        "scope": None, "environment": None, "signature": ["a", "b"], "calls": 20, "errors": 0, "p50_ms": 1.0,
        "p95_ms": 100.0, "p99_ms": 1.0, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("now", "before", "status"),
    [
        ({"p95_ms": 121.0}, {}, "slower"),
        ({"p95_ms": 120.0}, {}, "same"),
        ({"p95_ms": 6.0}, {"p95_ms": 1.0}, "same"),
        ({"p95_ms": 6.1}, {"p95_ms": 1.0}, "slower"),
        ({"p95_ms": 500.0, "calls": 19}, {}, "same"),
        ({"p95_ms": 500.0}, {"calls": 19}, "same"),
    ],
)
def test_slower_needs_a_fifth_five_milliseconds_and_twenty_calls(
    now: dict[str, Any], before: dict[str, Any], status: str
) -> None:
    assert [one["status"] for one in compared([row(**now)], [row(**before)])] == [status]


def test_the_same_path_in_two_environments_is_compared_apart() -> None:
    rows = compared([row(environment="production")], [row(environment="preview")])

    assert [(one["environment"], one["status"]) for one in rows] == [
        ("production", "new"),
        ("preview", "gone"),
    ]


def test_a_limit_shows_the_first_of_all_chains_though_their_calls_are_equal(two_days: Path) -> None:
    con = duckdb.connect(two_days, read_only=True)
    every = run_report(con, "chains", Query())
    cut = [run_report(con, "chains", Query(limit=most)) for most in range(1, len(every) + 2)]
    filtered = run_report(
        con, "chains", Query(limit=1, filters={"example_trace_id": every[-1]["example_trace_id"]})
    )
    con.close()

    assert len({row["calls"] for row in every}) < len(every)
    assert cut == [every[:most] for most in range(1, len(every) + 2)]
    assert filtered == every[-1:]


def test_chains_that_share_a_number_stay_two(two_days: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(two_days, tmp_path / "days.duckdb"))
    con = duckdb.connect(copy)
    every = run_report(con, "chains", Query())
    con.execute("update hops set chain_key = 1 where leaf")
    shared = run_report(con, "chains", Query(limit=2))
    con.close()

    assert shared == every[:2]


def test_only_leaves_have_the_number_of_their_chain(shop: Path) -> None:
    con = duckdb.connect(shop, read_only=True)
    rows = con.execute("select leaf, chain_key, scope, callee_env, path from hops").fetchall()
    con.close()

    assert all((key is not None) == leaf for leaf, key, *_ in rows)
    assert len({key for _, key, *_ in rows if key}) == len(
        {(scope, env, *path) for leaf, _, scope, env, path in rows if leaf}
    )
