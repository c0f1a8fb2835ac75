"""The `bindtrace` command: one word for everything. It knows no verb; verbs are entry points, loaded on use."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points, version
from importlib.util import find_spec
from typing import NoReturn

import click

from bindtrace.propagation import environment
from bindtrace.propagation.errors import Refusal

GROUP = "bindtrace.commands"
LAKE = "lake"
"""The option of verbs that can ask a lake."""
INTERRUPTED = 130  # 128 + SIGINT, as shells count
PIPE_CLOSED = 141  # 128 + SIGPIPE

BASE = "bindtrace.propagation."
INSTALL = "pip install 'bindtrace[collector]'"
PROBES = ("duckdb", "grpc", "pyarrow", "rich", "uvicorn")
"""What every verb outside the base needs. Asked before a verb runs, as one that starts processes (`serve`)
imports little itself, and its children would fail one by one."""


class Verbs(click.Group):
    """A group whose commands are the entry points of `bindtrace.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_declared())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = _declared().get(cmd_name)
        return None if entry is None else _load(entry)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        verb, verbs = args[0], _declared()
        if verb not in verbs and not verb.startswith("-"):
            near = difflib.get_close_matches(verb, verbs, n=1)
            hint = f"`bindtrace {near[0]}`, or " if near else ""
            raise Refusal(f"`{verb}` is not a command of bindtrace", fix=f"{hint}`bindtrace --help` for all.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(verb, _summary(entry)) for verb, entry in sorted(_declared().items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _declared() -> Mapping[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _summary(entry: EntryPoint) -> str:
    try:
        return _load(entry).get_short_help_str(limit=78)
    except Refusal:
        return f"(needs {INSTALL})"


def _load(entry: EntryPoint) -> click.Command:
    """Raises Refusal where a module that an extra brings is missing; a fault of ours stays a traceback."""
    try:
        for module in () if entry.module.startswith(BASE) else PROBES:
            if find_spec(module) is None:
                raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        command = entry.load()
    except ModuleNotFoundError as missing:
        raise _lacking(entry, missing) from missing
    if not isinstance(command, click.Command):
        raise TypeError(f"{entry.value} is not a click command")
    return command


def _lacking(entry: EntryPoint, missing: ModuleNotFoundError) -> Refusal | ModuleNotFoundError:
    name = missing.name or ""
    if name.split(".")[0] in ("", "bindtrace"):
        return missing
    return Refusal(f"`bindtrace {entry.name}` needs `{name}`, which is not installed", fix=INSTALL)


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "BINDTRACE"},
    epilog="Options are also read from the environment: BINDTRACE_VERB_OPTION, such as BINDTRACE_SERVE_DB.",
)
@click.version_option(version("bindtrace"), "-V", "--version", prog_name="bindtrace")
@click.option(
    "--lake", metavar="CATALOG", allow_from_autoenv=False,  # BINDTRACE_LAKE is where `serve` seals to
    help="Ask the lake that collectors share, without any of them.",
)  # fmt: skip
@click.pass_context
def bindtrace(ctx: click.Context, lake: str | None) -> None:
    """Who really calls whom inside a system, by which road, and with what right."""
    if lake is None or ctx.invoked_subcommand is None:
        return
    verb = bindtrace.get_command(ctx, ctx.invoked_subcommand)
    if verb is None or all(parameter.name != LAKE for parameter in verb.params):
        raise click.UsageError(f"`{ctx.invoked_subcommand}` asks no lake", ctx)
    ctx.default_map = {ctx.invoked_subcommand: {LAKE: lake}}


def main() -> NoReturn:
    """Runs the command and exits: 0 done, 1 findings, 2 could not run. A refusal is one line, never a traceback."""
    try:
        # Not click's own `main`: it makes status 1, which here means findings, of a closed pipe.
        if environment.read("_BINDTRACE_COMPLETE"):
            bindtrace.main(prog_name="bindtrace")
        with bindtrace.make_context("bindtrace", sys.argv[1:]) as context:
            bindtrace.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.exceptions.NoArgsIsHelpError as empty:
        empty.show()
        sys.exit(empty.exit_code)
    except click.UsageError as wrong:
        asked = wrong.ctx.command_path if wrong.ctx else "bindtrace"
        _end(Refusal(wrong.format_message(), fix=f"`{asked} --help` shows how to call it."))
    except click.ClickException as refused:
        _end(refused)
    except ModuleNotFoundError as missing:
        # A verb may import what it needs only while it runs.
        entry = _declared().get(next((word for word in sys.argv[1:] if not word.startswith("-")), ""))
        fault = missing if entry is None else _lacking(entry, missing)
        if not isinstance(fault, Refusal):
            raise
        _end(fault)
    except (click.Abort, EOFError, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Python flushes stdout once more at exit; its reader is gone, so let it go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)
    sys.exit(0)


def _end(refused: click.ClickException) -> NoReturn:
    refused.show()
    sys.exit(refused.exit_code)
