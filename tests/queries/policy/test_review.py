"""`bindtrace review`: the comment says what breaks, with line and example, and no name breaks out of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from drawn_shop import UNDECLARED_ID, write_shop
from shop_policy import settings, vercel

from bindtrace.propagation.command import bindtrace
from bindtrace.propagation.manifest import Manifest
from bindtrace.queries.markdown import code, plain, table
from bindtrace.queries.query import Query
from bindtrace.queries.replaying import calls_of
from bindtrace.queries.review_markdown import headline, markdown
from bindtrace.queries.reviewing import Review, review, rows_of
from bindtrace.queries.source import FileSource

NEW = """\
{
  "services": {
    "storefront": { "root": "a", "bindings": [
      { "service": "orders", "format": "url", "env": "ORDERS_URL" },
      { "service": "ledger", "format": "url", "env": "LEDGER_URL" },
      { "service": "billing", "format": "url", "env": "BILLING_URL" }
    ] },
    "catalog": { "root": "a" },
    "orders": { "root": "a", "bindings": [ { "service": "inventory", "format": "url", "env": "INVENTORY_URL" } ] },
    "inventory": { "root": "a" },
    "billing": { "root": "a" },
    "ledger": { "root": "a" }
  },
  "rewrites": [ { "source": "/ledger/(.*)", "destination": { "service": "ledger" } } ]
}
"""


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("review") / "shop.duckdb")


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "vercel.json"
    path.write_text(NEW)
    return path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(bindtrace, ["review", *map(str, words)])


def reviewed(db: Path, manifests: list[Manifest], base: list[Manifest] | None = None) -> Review:
    source = FileSource(db)
    try:
        calls = calls_of(source, Query(), manifests)
        return review(
            calls, source.rows("chains", Query()), source.rows("services", Query()), manifests, base
        )
    finally:
        source.close()


def test_the_comment_says_what_breaks_with_line_and_example(db: Path, new: Path) -> None:
    result = run("--db", db, "--manifest", new)

    assert result.exit_code == 1
    assert re.search(r"\| `storefront → catalog` \| 1 \|.*vercel.json:3`", result.stdout)
    assert UNDECLARED_ID in result.stdout
    assert f"`{new}:14`" in result.stdout
    assert result.stderr.strip() == (
        "breaks 1 of 4 chains, lets 1 refused call pass, ledger becomes public, 1 grant unused"
    )


def test_against_a_base_it_says_what_is_declared_otherwise(db: Path) -> None:
    changed = replace(vercel(), grants=vercel().grants[1:])

    found = reviewed(db, [changed, settings()], [vercel(), settings()])

    assert [(row["caller"], row["callee"]) for row in found.breaks] == [("storefront", "catalog")]
    assert [row["signature"] for row in found.chains] == [["storefront", "catalog"]]
    assert [(one.change, one.effect) for one in found.differences] == [("removed", "narrows")]


@pytest.mark.slow
def test_nothing_changed_is_said_in_one_line(db: Path) -> None:
    used = replace(vercel(), grants=tuple(g for g in vercel().grants if g.callee not in ("ledger",)))
    used = replace(used, grants=tuple(g for g in used.grants if g.caller != "catalog"))

    found = reviewed(db, [used, settings()], [used, settings()])

    assert headline(found) == "changes nothing for the calls that were seen"
    assert "| call |" not in markdown(found, "x.duckdb")


@pytest.mark.slow
def test_a_new_grant_that_nobody_can_have_used_is_marked(db: Path) -> None:
    without = replace(vercel(), grants=vercel().grants[:-1])

    found = reviewed(db, [vercel(), settings()], [without, settings()])

    assert [(grant.caller, grant.callee) for grant in found.added] == [("billing", "ledger")]
    assert "| `billing → ledger` | `LEDGER_URL` | `vercel.json:24` | new |" in markdown(found, "x")


def test_calls_that_are_judged_for_the_first_time_or_no_more_are_counted() -> None:
    rows = tuple({"change": change, "calls": 2} for change in ("declared", "unjudged", "same"))

    one = Review(rows, (), 1, (), (), frozenset(), (), 6, None, 1)

    assert headline(one) == "2 calls would no longer be judged, 2 calls would newly be declared"


@pytest.mark.slow
@pytest.mark.parametrize(("fail_on", "status"), [("breaks", 1), ("widens", 1), ("never", 0)])
def test_the_status_is_as_asked(db: Path, new: Path, fail_on: str, status: int) -> None:
    assert run("--db", db, "--manifest", new, "--fail-on", fail_on).exit_code == status


@pytest.mark.slow
def test_json_names_the_section_of_every_statement(db: Path, new: Path) -> None:
    rows = json.loads(run("--db", db, "--manifest", new, "--base", new, "-f", "json").stdout)
    from_stored = json.loads(run("--db", db, "--manifest", new, "-f", "json").stdout)

    assert {row["section"] for row in rows} == {"unused"}
    assert {row["section"] for row in from_stored} == {"breaks", "passes", "chain", "public", "unused"}


@pytest.mark.slow
def test_examples_become_links(db: Path, new: Path) -> None:
    result = run("--db", db, "--manifest", new, "--trace-url", "https://traces.example/{trace_id}?x=1")

    assert f"[`{UNDECLARED_ID}`](https://traces.example/{UNDECLARED_ID}?x=1)" in result.stdout
    assert run("--db", db, "--manifest", new, "--trace-url", "https://traces.example/").exit_code == 2


@pytest.mark.slow
def test_a_long_section_is_cut_and_counted(db: Path, new: Path) -> None:
    found = reviewed(db, [vercel(), settings()])
    row: dict[str, Any] = dict(found.changes[0]) | {"change": "breaks"}

    text = markdown(replace(found, changes=(row,) * 25), "x")

    assert "… and 5 more." in text
    assert text.count(f"| `{row['example_trace_id']}` |") == 20


@pytest.mark.parametrize(
    "name", ["a`b", "``", "a|b", "<img src=x>", "@everyone", "a\nb", "\x1b[31m", "[x](y)"]
)
def test_no_name_breaks_out(name: str) -> None:
    cell = table(("x",), [[code(name)]])

    assert cell.count("\n") == 3
    assert len(re.findall(r"(?<!\\)\|", cell.splitlines()[2])) == 2
    assert "\x1b" not in cell
    assert not re.search(r"(?<!\\)[<@\[]", plain(name))


def test_what_cannot_be_read_is_refused(db: Path, tmp_path: Path) -> None:
    assert run("--db", db, "--manifest", tmp_path / "absent.json").exit_code == 2
    assert run("--db", db).exit_code == 2


@pytest.mark.slow
def test_rows_are_ready_for_json(db: Path) -> None:
    assert json.dumps(rows_of(reviewed(db, [vercel(), settings()], [settings()])))
