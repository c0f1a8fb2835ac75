"""What the pages for users say can be done: every command in them exists, with every option; the workflow is YAML."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import yaml

from bindtrace.propagation.command import bindtrace
from bindtrace.propagation.verbs import SECTIONS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = ("README.md", "CHANGELOG.md", *(f"docs/{page.name}" for page in sorted(DOCS.glob("*.md"))))


def code(page: str) -> list[str]:
    """Every line of a code block, and every code span."""
    text = (ROOT / page).read_text().replace("\\\n", " ").replace("\\|", "|")
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [line for block in blocks for line in block.splitlines()] + [
        " ".join(span.split()) for span in spans
    ]


def commands(page: str) -> list[list[str]]:
    """The words of each command of ours: up to a comment, a pipe, a redirection, or the command of somebody else."""
    found = [
        re.search(r"(?:^|run: |\$ |&& |\| )\s*(?:\.venv/bin/)?(bindtrace .*)", line) for line in code(page)
    ]
    plain = [re.split(r" > | \| | \|\| | && | & |\s#| -- ", line[1])[0] for line in found if line]
    return [shlex.split(line.rstrip(" &")) for line in plain]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_of_a_page_exists(page: str) -> None:
    for words in commands(page):
        command: click.Command = bindtrace
        context = click.Context(bindtrace)
        parameters = list(bindtrace.params)
        for word in words[1:]:
            if isinstance(command, click.Group) and (below := command.get_command(context, word)):
                command = below
                parameters += below.params
        options = {name for parameter in parameters for name in parameter.opts} | {"--help"}
        given = {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"}
        assert command is not bindtrace or given, words
        assert given <= options, (words, given - options)


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_a_page_names_is_one_of_some_command(page: str) -> None:
    firsts = [line.split()[0].partition("=")[0] for line in code(page) if line.startswith("--")]
    named = {first for first in firsts if first[2:3].isalpha()}

    assert named <= every_option()


@cache
def every_option() -> frozenset[str]:
    options = (option for _, command in every_command(bindtrace) for option in command.params)
    return frozenset({"--help"}.union(*(option.opts for option in options)))


def test_the_pages_have_commands_to_look_up() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 60


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
