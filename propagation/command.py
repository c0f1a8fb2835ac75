"""The `bindtrace` command: one word for everything. It holds no verb; verbs are entry points, loaded on use."""

from __future__ import annotations

import difflib
import errno
import os
import shlex
import sys
import traceback
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from bindtrace.propagation import environment
from bindtrace.propagation.entry import INTERRUPTED, EndingAtOnce
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.verbs import SECTIONS

GROUP = "bindtrace.commands"
LAKE = "lake"
"""The option of verbs that can ask a lake."""
PIPE_CLOSED = 141  # 128 + SIGPIPE
OUTPUT_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
QUERY_INTERRUPTED = "Query interrupted"
"""What DuckDB 1.5.5 raises a RuntimeError of where Ctrl-C comes within a query."""
TRACEBACK = "BINDTRACE_TRACEBACK"
"""Set, a fault of ours shows where it is. Unset, it is one line, and status 2: 1 means findings."""

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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """From the table: each press of Tab would load every verb otherwise (0.9 s)."""
        verbs = {verb: line for section in SECTIONS.values() for verb, line in section.items()}
        found = [
            CompletionItem(verb, help=line) for verb, line in verbs.items() if verb.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        declared = _declared()
        lacking = [verb for verb in declared if not _of_base(declared[verb])] if _missing() else []
        width = max(map(len, declared))
        for section, verbs in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(
                    [
                        (verb.ljust(width), f"(needs {INSTALL})" if verb in lacking else line)
                        for verb, line in verbs.items()
                        if verb in declared
                    ]
                )


def _declared() -> Mapping[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _of_base(entry: EntryPoint) -> bool:
    return entry.module.startswith(BASE)


def _missing() -> str | None:
    """The first of what an extra brings that is not installed."""
    for module in PROBES:
        try:
            if find_spec(module) is None:
                return module
        except ModuleNotFoundError:  # how an import hook says it
            return module
    return None


def _load(entry: EntryPoint) -> click.Command:
    """Raises Refusal where a module that an extra brings is missing."""
    if not _of_base(entry) and (module := _missing()):
        raise _lacks(entry, module)
    try:
        with EndingAtOnce():
            command = entry.load()
    except ModuleNotFoundError as missing:
        raise _lacking(entry, missing) from missing
    if not isinstance(command, click.Command):
        raise TypeError(f"{entry.value} is not a click command")
    return command


def _lacking(entry: EntryPoint, missing: ModuleNotFoundError) -> Refusal | ModuleNotFoundError:
    name = missing.name or ""
    return missing if name.split(".")[0] in ("", "bindtrace") else _lacks(entry, name)


def _lacks(entry: EntryPoint, module: str) -> Refusal:
    return Refusal(f"`bindtrace {entry.name}` needs `{module}`, which is not installed", fix=INSTALL)


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
    name = ctx.invoked_subcommand
    verb = bindtrace.get_command(ctx, name)
    if verb is None or not (asked := _asking(verb, lake)):
        seals = verb is not None and any(f"--{LAKE}" in parameter.opts for parameter in verb.params)
        raise Refusal(
            f"`{name}` asks no lake, and --{LAKE} before a verb names the one to ask",
            fix=f"`bindtrace {name} --{LAKE} {shlex.quote(lake)}` seals into it"
            if seals
            else f"leave --{LAKE} out",
        )
    ctx.default_map = {name: asked}


def _asking(verb: click.Command, lake: str) -> dict[str, Any]:
    """Defaults by which the verb, or each of its own verbs that can, asks the lake; none where it cannot."""
    own: dict[str, Any] = {LAKE: lake} if any(parameter.name == LAKE for parameter in verb.params) else {}
    verbs = verb.commands if isinstance(verb, click.Group) else {}
    return own | {name: asked for name, one in verbs.items() if (asked := _asking(one, lake))}


def main() -> NoReturn:
    """Runs the command and exits: 0 done, 1 findings, 2 could not run. A refusal is one line, never a traceback."""
    try:
        # Not click's own `main`: it makes status 1, which here means findings, of a closed pipe and a full disk.
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
        _silence()
        sys.exit(PIPE_CLOSED)
    except OSError as fault:
        if fault.filename is None and fault.errno in OUTPUT_FAULTS:
            _silence()
        _end(_of_the_system(fault))
    except Exception as fault:
        if _interrupted(fault):
            sys.exit(INTERRUPTED)
        if environment.read(TRACEBACK):
            traceback.print_exception(fault)
        _end(_of_ours(fault))
    sys.exit(0)


def _interrupted(fault: BaseException | None) -> bool:
    """Whether it is what others made of Ctrl-C: DuckDB within a query, a module in C of one that reached its import."""
    while fault is not None and not isinstance(fault, KeyboardInterrupt):
        if str(fault) == QUERY_INTERRUPTED:
            return True
        fault = fault.__cause__ or fault.__context__
    return fault is not None


def _silence() -> None:
    """Python flushes stdout once more at exit; where nobody takes it, let it go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _of_the_system(fault: OSError) -> Refusal:
    why = fault.strerror or str(fault)
    if fault.filename is not None:
        return Refusal(
            f"{fault.filename}: {why}", fix="look at the path, its permissions and the room on its disk"
        )
    if fault.errno in OUTPUT_FAULTS:
        return Refusal(
            f"standard output cannot be written: {why}", fix="make room where it goes, or send it elsewhere"
        )
    return Refusal(f"the system refused: {why}", fix=f"try again; {TRACEBACK}=1 shows where")


def _of_ours(fault: Exception) -> Refusal:
    frames = traceback.extract_tb(fault.__traceback__)
    last = next(
        (frame for frame in reversed(frames) if "bindtrace" in Path(frame.filename).parts), frames[-1]
    )
    return Refusal(
        f"a fault of bindtrace's own: {type(fault).__name__}: {fault} ({last.filename}, line {last.lineno})",
        fix=f"report it with what {TRACEBACK}=1 shows",
    )


def _end(refused: click.ClickException) -> NoReturn:
    refused.show()
    sys.exit(refused.exit_code)
