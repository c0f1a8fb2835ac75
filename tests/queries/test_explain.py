"""A finding as a person reads it."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from bindtrace.queries.explain import explain, subject, summary

FINDING: dict[str, Any] = {
    "id": "ab" * 8, "rule": "undeclared-call", "severity": "medium", "grade": "claimed", "confidence": None,
    "scope": "shop", "caller": "storefront", "caller_env": None, "callee": "ledger", "callee_env": None, "count": 1200,
    "first_seen": "1769860800000000000", "last_seen": "1769860800000000000",
    "example": {"trace_id": "cd" * 16, "span_ids": ["ef" * 8]},
    "message": "storefront called ledger at ledger.internal, and no manifest declares that storefront may.",
    "fix": "declare a binding to ledger under storefront in vercel.json, or remove the call.",
    "source": {"file": "vercel.json", "line": 3}, "silenced_until": None,
}  # fmt: skip


def told(*findings: dict[str, Any], option: str = "", width: int = 100) -> str:
    text = io.StringIO()
    Console(file=text, width=width, color_system=None).print(explain(findings, option), crop=False)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def test_the_first_line_says_how_bad_which_rule_who_how_often_and_how_sure() -> None:
    assert (
        told(FINDING).splitlines()[0]
        == "medium  undeclared-call  storefront → ledger  (1,200 calls, claimed)"
    )


def test_four_lines_say_what_happened_how_sure_what_to_do_and_how_to_check() -> None:
    labels = [line[2:16].rstrip() for line in told(FINDING, width=400).splitlines()[1:]]

    assert labels[:4] == ["what happened", "how sure, why", "what to do", "how to check"]


def test_the_check_is_the_rules_own_command_on_a_line_of_its_own() -> None:
    lines = told(FINDING, option="--url http://127.0.0.1:4400", width=60).splitlines()

    assert (
        "bindtrace hops --caller storefront --callee ledger --verdict denied --since 10m --url http://127.0.0.1:4400"
        in [line.strip() for line in lines]
    )


def test_the_example_is_a_command_for_the_same_data() -> None:
    assert f"bindtrace chain {'cd' * 16} --db other.duckdb" in told(FINDING, option="--db other.duckdb")


def test_of_recorded_files_the_same_check_is_what_shows_that_it_is_fixed() -> None:
    text = io.StringIO()
    found = explain([FINDING], again="bindtrace check --manifest vercel.json traces.json")
    Console(file=text, width=60, color_system=None).print(found, crop=False)

    lines = [line.strip() for line in text.getvalue().splitlines()]
    assert "bindtrace check --manifest vercel.json traces.json" in lines
    assert "bindtrace hops" not in text.getvalue()
    assert f"bindtrace chain {'cd' * 16}" not in text.getvalue()


def test_file_and_line_of_the_declaration_are_shown() -> None:
    assert "vercel.json:3" in told(FINDING)
    assert "where" not in told(FINDING | {"source": None})


def test_a_service_that_calls_itself_a_command_is_quoted_in_the_check() -> None:
    text = told(FINDING | {"caller": "a; rm -rf ~"})

    assert "--caller 'a; rm -rf ~' --callee ledger" in text


def test_names_and_messages_cannot_move_the_cursor() -> None:
    hostile = FINDING | {
        "caller": "a\x1b[2J",
        "message": "x\x1b]0;t\x07y",
        "rule": "undeclared-call",
        "fix": "\x9b1m",
    }

    assert not any(char in told(hostile) for char in "\x1b\x07\x9b")


def test_a_name_keeps_its_spelling_at_the_start_of_a_sentence() -> None:
    assert "  storefront called ledger" in told(FINDING)
    assert "  Declare a binding" in told(FINDING)


def test_a_finding_without_traffic_counts_no_calls_and_shows_no_chain() -> None:
    static = FINDING | {"example": None, "count": 1, "callee": None, "grade": "verified"}

    assert "(verified)" in told(static).splitlines()[0]
    assert "bindtrace chain" not in told(static)


def test_a_call_from_outside_has_a_subject() -> None:
    assert subject(FINDING | {"caller": None}) == "(external) → ledger"
    assert subject(FINDING | {"callee": None}) == "storefront"
    assert subject(FINDING | {"caller": None, "callee": None}) == ""


def test_environments_are_named_only_where_the_call_crosses_them() -> None:
    crossing = FINDING | {"caller_env": "preview", "callee_env": "production"}

    assert subject(crossing) == "storefront (preview) → ledger (production)"
    assert subject(crossing | {"caller_env": "production"}) == "storefront → ledger"


def test_a_rule_that_this_version_does_not_know_is_still_explained() -> None:
    text = told(FINDING | {"rule": "from-the-future", "confidence": "probable"}, width=400)

    assert "bindtrace findings --rule from-the-future --caller storefront --callee ledger" in text
    assert "the caller's name and address" in text


def test_an_accepted_finding_says_until_when() -> None:
    accepted = FINDING | {"silenced_until": "1769860800000000000"}

    assert "2026-01-31 12:00:00 UTC" in told(accepted)
    assert summary([accepted]) == "1 finding: 1 medium (1 silenced by an exception)"


def test_the_summary_counts_the_worst_first() -> None:
    assert summary([FINDING, FINDING | {"severity": "high"}, FINDING]) == "3 findings: 1 high, 2 medium"
    assert summary([]) == "0 findings"


def test_the_confidence_of_an_unused_grant_is_that_of_its_sampling() -> None:
    finding = FINDING | {"rule": "unused-grant", "confidence": "suspected", "example": None}

    text = " ".join(told(finding).split())

    assert "fewer than half of the traces were kept" in text
    assert "public road" not in text
    assert "preview" in text
