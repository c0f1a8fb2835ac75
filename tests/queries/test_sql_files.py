"""What the files of this room promise: headers, order, words."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from rule_table import README, written

from bindtrace.propagation import vocabulary
from bindtrace.propagation.concepts import RESOURCE_CONCEPTS, SPAN_CONCEPTS
from bindtrace.queries import commands, sql_files
from bindtrace.queries.catalog import GIVEN, REPORTS, RULES, run_report
from bindtrace.queries.query import Query
from bindtrace.queries.rules import REQUIRED, rule_of

RULE_TESTS = Path(__file__).parent / "rules"

REPORT_KEYS = {
    "services": "scope service platform environment spans calls_in calls_out exposure first_seen last_seen",
    "edges": "scope caller caller_env callee callee_env kind calls errors denied road protection verdict grade "
    "p50_ms p95_ms p99_ms",
    "hops": "trace_id scope caller caller_env callee callee_env kind binding road confidence protection verdict "
    "outcome reason grade pairing start_time_unix_nano duration_ms error attempts caller_span_id callee_span_id "
    "evidence",
    "chains": "scope environment signature calls errors p50_ms p95_ms p99_ms verdict road grade example_trace_id",
    "grants": "caller callee binding platform scope environment revision file line calls last_used",
    "coverage": "service environment spans hops both_sides verified road_unknown sampling gaps",
}


@pytest.mark.parametrize("folder", ["schema", "analysis"])
def test_order_file_and_folder_name_the_same_files(folder: str) -> None:
    assert [file.name for file in sql_files.ordered(folder)]


def test_a_step_that_is_only_for_some_data_makes_no_table_that_others_read() -> None:
    left_out = [step for step in sql_files.ordered("analysis") if "only where" in step.header]

    assert len(left_out) == 6
    assert not [step.name for step in left_out if "create or replace temp" in step.text]


@pytest.mark.parametrize("name", sorted(REPORT_KEYS))
def test_a_report_has_exactly_the_columns_of_the_contract(con: duckdb.DuckDBPyConnection, name: str) -> None:
    file = sql_files.folder("reports")[name]
    given = dict.fromkeys(GIVEN) | {"since": 0, "until": 1}
    cursor = con.execute(file.text, {key: given[key] for key in file.parameters})

    assert [column[0] for column in cursor.description or ()] == REPORT_KEYS[name].split()


@pytest.mark.parametrize("name", sorted(set(REPORTS) - {"calls", "chain", "traces"}))
def test_every_report_answers_on_an_empty_database(con: duckdb.DuckDBPyConnection, name: str) -> None:
    assert run_report(con, name, Query()) == [] or name == "rules"


def test_a_filter_on_a_column_that_is_not_there_names_those_that_are(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ValueError, match="no column 'colour'; it has trace_id"):
        run_report(con, "hops", Query(filters={"colour": "red"}))


def test_span_columns_are_the_concepts_in_their_order(con: duckdb.DuckDBPyConnection) -> None:
    columns = [row[0] for row in con.execute("describe spans").fetchall()]
    concepts = [concept.column for concept in SPAN_CONCEPTS]

    assert columns[columns.index("load_id") + 1 :] == concepts


def test_resource_columns_are_the_concepts_in_their_order(con: duckdb.DuckDBPyConnection) -> None:
    columns = [row[0] for row in con.execute("describe resources").fetchall()]

    assert columns[columns.index("load_id") + 1 :] == [concept.column for concept in RESOURCE_CONCEPTS]


def test_every_rule_has_a_test_file_with_flags_passes_and_traps_and_every_test_file_a_rule() -> None:
    files = {
        path.stem.removeprefix("test_").replace("_", "-"): path.read_text()
        for path in RULE_TESTS.glob("test_*.py")
    }

    assert set(files) == set(RULES)
    for rule, text in files.items():
        for kind in ("flags", "passes", "trap"):
            assert re.search(rf"def test_{kind}_", text), (rule, kind)


@pytest.mark.parametrize("missing", [key for key in REQUIRED if key != "reads"])
def test_a_rule_without_a_header_line_is_refused(missing: str) -> None:
    file = sql_files.folder("findings")["public-route"]
    header = {key: value for key, value in file.header.items() if key != missing}

    with pytest.raises(ValueError, match=f"public-route.sql lacks {missing}"):
        rule_of(replace(file, header=header))


@pytest.mark.parametrize(
    ("key", "value"), [("severity", "awful"), ("status", "beta"), ("kind", "odd"), ("quiet", "soon")]
)
def test_a_rule_with_a_header_line_that_says_nothing_known_is_refused(key: str, value: str) -> None:
    file = sql_files.folder("findings")["public-route"]

    with pytest.raises(ValueError):
        rule_of(replace(file, header=file.header | {key: value}))


def test_every_rule_is_shown_and_explained() -> None:
    shown = json.loads(CliRunner().invoke(commands.rules, ["-f", "json"]).stdout)

    assert {row["rule"] for row in shown} == {
        path.stem for path in (Path(sql_files.__file__).parent / "findings").glob("*.sql")
    }


def test_the_readmes_table_of_rules_is_that_of_the_headers() -> None:
    assert README.read_text() == written(README.read_text()), "write it anew: make rules"


def test_the_names_that_a_rules_texts_use_are_in_its_evidence() -> None:
    for rule in RULES.values():
        texts = " ".join((rule.message, rule.fix))
        used = set(re.findall(r"{(\w+)}", texts)) - {"caller", "callee", "count"}
        assert used <= set(re.findall(r"'(\w+)',", rule.text)), rule.name


def test_the_documentation_of_a_rule_names_nothing_that_only_a_finding_knows() -> None:
    for rule in RULES.values():
        assert "{" not in " ".join(str(text) for text in rule.row().values()), rule.name


def test_sql_never_asks_for_the_time() -> None:
    for folder in ("schema", "analysis", "findings", "reports", "views"):
        for file in sql_files.folder(folder).values():
            assert not re.search(r"\b(now|current_timestamp|get_current_time|today)\s*\(", file.text), (
                file.name
            )


def test_the_words_that_sql_uses_are_those_of_the_vocabulary() -> None:
    text = " ".join(
        file.text
        for folder in ("analysis", "findings", "reports")
        for file in sql_files.folder(folder).values()
    )

    for column, words in {
        "road": vocabulary.ROADS,
        "verdict": vocabulary.VERDICTS,
        "grade": vocabulary.GRADES,
    }.items():
        for word in re.findall(rf"\b{column} (?:=|<>) '([^']*)'", text):
            assert word in words, (column, word)
