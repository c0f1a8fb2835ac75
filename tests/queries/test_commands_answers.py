"""The command line's questions: data on standard output, narration on standard error, refusals in one line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import click.testing
import pytest
from answering import answering
from drawn_shop import GOOD_ID, PUBLIC_ID, UNDECLARED_ID, write_shop

from bindtrace.propagation.command import bindtrace
from bindtrace.queries.report_keys import KEYS
from bindtrace.queries.rules import RULES

DRAWN_AT = 1_790_000_000
ROWS = ("services", "edges", "hops", "chains", "grants", "findings")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("commands") / "shop.duckdb")


def run(*words: str | Path, status: int = 0, **settings: str) -> click.testing.Result:
    result = click.testing.CliRunner(env=settings).invoke(
        bindtrace, [str(word) for word in words], auto_envvar_prefix="BINDTRACE"
    )
    assert result.exit_code == status, result.output
    assert "\x1b" not in result.output
    return result


def rows(*words: str | Path) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = json.loads(run(*words, "-f", "json").stdout)
    return answer


@pytest.mark.parametrize("verb", ROWS)
def test_json_has_the_promised_keys_in_order(file: Path, verb: str) -> None:
    found = rows(verb, "--db", file)

    assert found
    assert {tuple(row) for row in found} == {KEYS[verb]}


@pytest.mark.parametrize("report", sorted(KEYS))
def test_every_report_has_the_promised_keys(file: Path, report: str) -> None:
    needed = {
        "calls": ("-p", "with_paths=true"),
        "chain": ("-p", f"trace_id={GOOD_ID}"),
        "traces": ("-p", "prefix="),
    }.get(report, ())

    found = {tuple(row) for row in rows("report", report, *needed, "--db", file)}

    if not found:  # the shop shows no credentials: then the heading alone says the keys
        heading = run("report", report, *needed, "--db", file, "-f", "csv").stdout.splitlines()[0]
        found = {tuple(heading.split(","))}
    assert found == {KEYS[report]}


@pytest.mark.parametrize("verb", ROWS)
def test_json_lines_and_csv_hold_the_same_rows(file: Path, verb: str) -> None:
    as_json = rows(verb, "--db", file)
    as_lines = [json.loads(line) for line in run(verb, "--db", file, "-f", "jsonl").stdout.splitlines()]
    as_csv = list(csv.DictReader(io.StringIO(run(verb, "--db", file, "-f", "csv").stdout)))

    assert as_lines == as_json
    assert [len(as_csv), tuple(as_csv[0])] == [len(as_json), KEYS[verb]]


def test_a_table_in_a_pipe_keeps_every_column_whole(file: Path) -> None:
    result = run("hops", "--db", file)

    assert GOOD_ID in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("verb", [*ROWS, "chain", "report"])
def test_a_narrow_table_fits_and_says_what_it_leaves_out(file: Path, verb: str) -> None:
    words = {"chain": ("chain", GOOD_ID), "report": ("report", "coverage")}.get(verb, (verb,))
    result = run(*words, "--db", file, COLUMNS="72")

    commands = ("bindtrace hops", "bindtrace chain")  # one copies them, so they are never broken
    lines = [line for line in result.stdout.splitlines() if not line.strip().startswith(commands)]
    assert max(map(len, lines)) <= 72
    if verb == "hops":
        assert "not shown at 72 columns" in result.stderr


def test_filters_narrow_the_answer(file: Path) -> None:
    denied = rows("hops", "--db", file, "--verdict", "denied")
    public = rows("edges", "--db", file, "--caller", "orders", "--road", "public")

    assert [(row["caller"], row["callee"]) for row in denied] == [("storefront", "ledger")]
    assert [row["callee"] for row in public] == ["inventory"]


def test_the_window_is_the_half_open_time_between_since_and_until(file: Path) -> None:
    found = rows("hops", "--db", file, "--since", str(DRAWN_AT + 1), "--until", str(DRAWN_AT + 2))

    assert {row["trace_id"] for row in found} == {UNDECLARED_ID}


def test_options_are_read_from_the_environment(file: Path) -> None:
    result = run("hops", BINDTRACE_DB=str(file), BINDTRACE_FORMAT="jsonl", BINDTRACE_HOPS_VERDICT="denied")

    assert [json.loads(line)["callee"] for line in result.stdout.splitlines()] == ["ledger"]


def test_a_limit_says_that_there_is_more(file: Path) -> None:
    result = run("hops", "--db", file, "--limit", "2", "-f", "json")

    assert len(json.loads(result.stdout)) == 2
    assert "cut after 2 rows" in result.stderr
    assert "more than" not in run("hops", "--db", file, "--limit", "0").stderr


def test_nothing_found_is_an_empty_answer_and_a_hint(file: Path) -> None:
    result = run("hops", "--db", file, "--caller", "nobody", "-f", "json")

    assert json.loads(result.stdout) == []
    assert "no hops" in result.stderr
    assert "caller nobody" in result.stderr
    assert run("edges", "--db", file, "--caller", "nobody", "-f", "csv").stdout.startswith("scope,caller,")


def test_findings_are_blocks_for_people(file: Path) -> None:
    text = run("findings", "--db", file).stdout

    assert "undeclared-call  storefront → ledger" in text
    assert f"bindtrace chain {UNDECLARED_ID} --db {file}" in text
    assert text.splitlines()[-1].startswith("2 findings: ")


def test_findings_are_narrowed_by_rule_and_least_severity(file: Path) -> None:
    assert {row["rule"] for row in rows("findings", "--db", file, "--rule", "public-route")} == {
        "public-route"
    }
    assert rows("findings", "--db", file, "--severity", "critical") == []
    assert len(rows("findings", "--db", file, "--severity", "info")) == 2


def test_no_findings_is_said_in_words(file: Path) -> None:
    result = run("findings", "--db", file, "--severity", "critical")

    assert result.stdout == "0 findings\n"
    assert "no findings" in result.stderr


@pytest.mark.parametrize("rule", sorted(RULES))
def test_the_check_of_every_rule_is_a_command_that_runs(file: Path, rule: str) -> None:
    command = RULES[rule].check.format_map(
        {"caller": "orders", "callee": "inventory", "host": "h", "file": "f"}
    )
    words = command.split()[1:]

    if words[0] != "check":  # another room's verb
        run(*words, "--db", file)


def test_rules_need_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert {row["rule"] for row in rows("rules")} == set(RULES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_explains_itself(rule: str) -> None:
    text = run("rule", rule, COLUMNS="100").stdout

    for label in ("what", "why", "what to do", "how to check", "wrong when", "SQL"):
        assert f"  {label} " in text
    assert f"{rule}.sql" in text


def test_an_unknown_rule_or_report_names_the_nearest(file: Path) -> None:
    assert "public-route" in run("rule", "public-rout", status=2).stderr
    assert "undeclared-call" in run("findings", "--db", file, "--rule", "undeclared", status=2).stderr
    assert "edges" in run("report", "edge", "--db", file, status=2).stderr


def test_report_takes_filters_and_lists_its_names(file: Path) -> None:
    found = rows("report", "edges", "--db", file, "-p", "caller=storefront", "-p", "callee=ledger")

    assert [row["denied"] for row in found] == [1]
    assert {row["report"] for row in rows("report")} >= set(KEYS)
    assert (
        "`caller` is not KEY=VALUE" in run("report", "edges", "--db", file, "-p", "caller", status=2).stderr
    )
    assert "colour" in run("report", "edges", "--db", file, "-p", "colour=red", status=2).stderr


@pytest.mark.slow
def test_a_running_collector_gives_the_same_bytes(tmp_path: Path, file: Path) -> None:
    with answering(write_shop(tmp_path / "live.duckdb")) as url:
        for verb in ROWS:
            assert (
                run(verb, "--url", url, "-f", "json").stdout == run(verb, "--db", file, "-f", "json").stdout
            )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--db", "a", "--url", "b"), "--db and --url exclude each other"),
        (("--since", "yesterday"), "`yesterday` is not a time; write `15m`"),
        (("--since", "1h", "--until", "2h"), "the window is empty"),
        (("-f", "xml"), "'xml' is not one of"),
        (("--db", "absent.duckdb"), "error: no database at absent.duckdb. fix: "),
    ],
)
def test_mistakes_are_told_with_status_2(words: tuple[str, ...], said: str) -> None:
    result = run("edges", *words, status=2)

    assert said in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_what_is_typed_beats_the_environment(file: Path) -> None:
    assert rows("services", "--db", file) == json.loads(
        run("services", "--db", file, "-f", "json", BINDTRACE_URL="http://127.0.0.1:1").stdout
    )


def chain(file: Path, *words: str, status: int = 0) -> click.testing.Result:
    return run("chain", *words, "--db", file, status=status)


def test_a_chain_is_a_tree_with_its_head_and_legend_beside_it(file: Path) -> None:
    result = chain(file, GOOD_ID)

    assert "├─ storefront → orders" in result.stdout
    assert "│  └─ orders → inventory ✗" in result.stdout
    assert f"trace {GOOD_ID}: 4 hops" in result.stderr
    assert "✗ error" in result.stderr


@pytest.mark.parametrize("beginning", ["feed", "FEED0000", "feed0000-0000-0000-0000-000000000003"])
def test_the_beginning_of_a_trace_id_is_enough(file: Path, beginning: str) -> None:
    (root,) = json.loads(chain(file, beginning, "-f", "json").stdout)

    assert root["trace_id"] == PUBLIC_ID


def test_a_beginning_of_several_ids_asks_for_more_digits(file: Path) -> None:
    said = chain(file, "a1b2", status=2).stderr

    assert "begins 2 trace ids" in said
    assert GOOD_ID[:8] in said
    assert UNDECLARED_ID[:8] in said


def test_an_unknown_trace_id_names_the_nearest_ones(file: Path) -> None:
    nearest = chain(file, f"{PUBLIC_ID[:10]}{'7' * 22}", status=2).stderr
    latest = chain(file, "5" * 32, status=2).stderr

    assert f"the nearest are {PUBLIC_ID}" in nearest
    assert f"the latest are {PUBLIC_ID}, {UNDECLARED_ID}, {GOOD_ID}" in latest


@pytest.mark.parametrize("text", ["zz", "", "a" * 33, "\x1b[2J"])
def test_what_is_no_trace_id_is_refused(file: Path, text: str) -> None:
    assert "is not a trace id" in chain(file, text, status=2).stderr


def test_a_chain_in_other_forms(file: Path) -> None:
    (root,) = json.loads(chain(file, GOOD_ID, "-f", "json").stdout)
    flat = list(csv.DictReader(io.StringIO(chain(file, GOOD_ID, "-f", "csv").stdout)))

    assert tuple(root) == KEYS["chain"]
    assert [child["callee"] for child in root["children"]] == ["orders", "catalog"]
    assert [row["depth"] for row in flat] == ["0", "1", "2", "1"]
    assert "orders" in chain(file, GOOD_ID, "-f", "table").stdout


def test_chains_are_a_tree_on_request(file: Path) -> None:
    text = run("chains", "--db", file, "-f", "tree").stdout

    assert "└─ orders" in text
    assert "   └─ inventory" in text


def test_a_terminal_without_unicode_gets_ascii_in_the_same_columns(file: Path) -> None:
    runner = click.testing.CliRunner(charset="ascii")
    result = runner.invoke(bindtrace, ["chain", GOOD_ID, "--db", str(file)])

    assert result.exit_code == 0, result.output
    assert "storefront > orders" in result.stdout
    assert result.stdout.isascii()


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("edges", "--caller", "Orders"), "orders"),
        (("hops", "--caller", "external"), "(external)"),
        (("chains", "--through", "inventry"), "inventory"),
        (("findings", "--callee", "inventor"), "inventory"),
        (("hops", "--reason", "undeclard"), "undeclared"),
        (("edges", "--caller", "nobody-like-it"), None),
    ],
)
def test_a_name_that_nobody_has_is_answered_with_the_one_that_was_meant(
    file: Path, words: tuple[str, ...], meant: str | None
) -> None:
    said = run(*words, "--db", file).stderr

    assert (f"did you mean {meant}?" in said) is (meant is not None), said


def test_hops_of_a_trace_are_found_by_the_digits_that_a_narrow_table_shows(file: Path) -> None:
    assert rows("hops", "--trace", GOOD_ID[:12], "--db", file) == rows(
        "hops", "--trace", GOOD_ID, "--db", file
    )
    assert "is not a trace id" in run("hops", "--trace", "zz", "--db", file, status=2).stderr
