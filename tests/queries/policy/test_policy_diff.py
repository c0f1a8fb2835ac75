"""`bindtrace policy diff`: two files, what differs, and a status for a pipeline."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from bindtrace.propagation.command import bindtrace
from bindtrace.queries.policy_commands.diff import KEYS

GRANT = '[[grants]]\ncaller = "{}"\ncallee = "ledger"\n'


def write(path: Path, *callers: str) -> Path:
    path.write_text('scope = "shop"\n' + "".join(GRANT.format(caller) for caller in callers))
    return path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(bindtrace, ["policy", "diff", *map(str, words)])


def test_the_table_names_the_line_of_each_difference(tmp_path: Path) -> None:
    a, b = (
        write(tmp_path / "a.bindtrace.toml", "orders"),
        write(tmp_path / "b.bindtrace.toml", "orders", "web"),
    )

    result = run(a, b)

    assert result.exit_code == 0
    assert f"{b}:5" in result.stdout
    assert "1 difference: 1 let more through" in result.stderr


def test_a_wider_policy_fails_where_it_is_asked_to(tmp_path: Path) -> None:
    a, b = (
        write(tmp_path / "a.bindtrace.toml", "orders"),
        write(tmp_path / "b.bindtrace.toml", "orders", "web"),
    )

    assert run(a, b, "--exit-code").exit_code == 1
    assert run(b, a, "--exit-code").exit_code == 0


def test_json_has_all_keys_and_equal_files_have_no_rows(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.bindtrace.toml", "orders"), write(tmp_path / "b.bindtrace.toml", "web")

    assert {tuple(row) for row in json.loads(run(a, b, "-f", "json").stdout)} == {KEYS}
    assert json.loads(run(a, a, "-f", "json").stdout) == []


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.bindtrace.toml"
    bad.write_text("[[grants]\n")

    result = run(write(tmp_path / "a.bindtrace.toml", "orders"), bad)

    assert result.exit_code == 2
    assert "bad.bindtrace.toml:1" in result.output
