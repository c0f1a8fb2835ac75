"""The pages about policy: every command in them exists, with every option, and the workflow is YAML."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from bindtrace.propagation.command import bindtrace
from bindtrace.propagation.verbs import SECTIONS

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("pull-requests.md", "audit.md")


def commands(page: str) -> list[list[str]]:
    text = (DOCS / page).read_text().replace("\\\n", " ")
    found = re.findall(r"(?:^|`|run: |\$ )\s*(bindtrace [^`\n]*)", text, re.MULTILINE)
    words = [shlex.split(re.split(r" > | \|\| |  #", line)[0]) for line in found]
    return [line for line in words if not line[1].startswith("[")]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_of_a_page_exists(page: str) -> None:
    listed = commands(page)

    assert len(listed) >= 2
    for words in listed:
        command: click.Command = bindtrace
        context = click.Context(bindtrace)
        for word in words[1:]:
            if isinstance(command, click.Group) and (below := command.get_command(context, word)):
                command = below
        options = {name for parameter in command.params for name in parameter.opts}
        given = {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"}
        assert command is not bindtrace, words
        assert given <= options, (words, given - options)


def test_the_workflow_is_yaml_with_the_steps_it_speaks_of() -> None:
    block = re.search(r"```yaml\n(.*?)```", (DOCS / "pull-requests.md").read_text(), re.DOTALL)
    assert block is not None

    workflow = yaml.safe_load(block[1])
    runs = " ".join(step.get("run", "") for step in workflow["jobs"]["review"]["steps"])

    assert workflow["permissions"]["pull-requests"] == "write"
    assert "bindtrace review" in runs
    assert "-f sarif" in runs


def every_command(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(path), command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from every_command(found, *path, name)


def test_every_option_of_every_command_says_what_it_is_for() -> None:
    options = [
        (path, option)
        for path, command in every_command(bindtrace)
        for option in command.params
        if isinstance(option, click.Option)
    ]

    assert [(path, option.opts) for path, option in options if not option.help] == []
    assert len(options) > 200


def test_no_line_of_a_list_of_commands_is_cut() -> None:
    lines = {path: command.get_short_help_str(limit=64) for path, command in every_command(bindtrace)}

    # The first list is a table of its own (verbs.py).
    assert [line for path, line in lines.items() if " " in path and line.endswith("...")] == []
    assert [line for verbs in SECTIONS.values() for line in verbs.values() if len(line) > 64] == []
