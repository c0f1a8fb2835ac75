"""What a person is told when a command cannot do its work: one line with the way out, never a traceback."""

from __future__ import annotations

from functools import partial
from typing import IO, Any

import click


class Refusal(click.ClickException):
    """Ends a command with exit status 2 and `error: MESSAGE fix: FIX` on stderr.

    `message` names the thing and the value, `fix` says what to do; both are sentences without a newline.
    """

    exit_code = 2

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.fix = fix.removesuffix(".")  # it may end in something to copy

    def __reduce__(self) -> tuple[Any, ...]:
        """A process may send it to another: what must be given by name is not in an exception's `args`."""
        return partial(type(self), fix=self.fix), (self.message,)

    def format_message(self) -> str:
        what = " ".join(self.message.split())
        return f"{what if what.endswith(('.', '?')) else what + '.'} fix: {' '.join(self.fix.split())}"

    def __str__(self) -> str:
        return self.format_message()

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"error: {self.format_message()}", file=file, err=file is None)
