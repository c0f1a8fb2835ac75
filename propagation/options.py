"""Options that every room's commands have alike: what is a path, and how an answer is written. No I/O here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

T = TypeVar("T")

FORMATS: Final = frozenset({"tree", "table", "json", "jsonl", "csv", "mermaid", "svg", "html", "sarif"})
"""All that there are; a command has some of them."""


class NamedPath(click.Path):
    """A `Path` that has a name: `""` is what an unset shell variable leaves, and would be this folder."""

    def __init__(self, **checks: Any) -> None:
        super().__init__(path_type=Path, **checks)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        if value == "":
            self.fail("the path is empty: is a variable unset?", param, ctx)
        return super().convert(value, param, ctx)


class _Format(click.Choice[str]):
    """One of a command's formats. BINDTRACE_FORMAT is for all commands: one that lacks it writes as it always does."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        asked_of_all = (
            param is not None
            and param.name is not None
            and ctx is not None
            and ctx.get_parameter_source(param.name) is ParameterSource.ENVIRONMENT
        )
        known = value in FORMATS and value not in self.choices
        return super().convert(self.choices[0] if known and asked_of_all else value, param, ctx)


def format_option(
    formats: tuple[str, ...], text: str = "How the answer is written."
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """`-f`, passed on as `form`; `formats[0]` is the default."""
    return click.option(
        "-f", "--format", "form", type=_Format(formats), default=formats[0], envvar="BINDTRACE_FORMAT",
        show_default=True, help=text,
    )  # fmt: skip
