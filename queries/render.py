"""Writes rows to standard output as a table, JSON, JSON lines or CSV, and narration to standard error. Asks nothing."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Final

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from bindtrace.propagation import environment
from bindtrace.queries import cells
from bindtrace.queries.columns import columns_of
from bindtrace.queries.layout import GAP, Column, Fitted, Row, fit

PIPE_WIDTH: Final = 1_000_000
"""Cells of a line where no terminal ends it: a table in a pipe keeps every column whole."""
LABEL_CELLS: Final = 17
"""Cells that the labels of a block take."""
PROSE_WIDTH: Final = 100
"""Cells of a line of sentences where there is no terminal, or a wider one."""

# Cells that a spreadsheet would run as a formula; a leading apostrophe makes them text (OWASP, CSV injection).
_FORMULA: Final = re.compile(r"[=+\-@\t\r]")
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
# One character for one, so that columns stay aligned.
_ASCII: Final = str.maketrans(
    {"→": ">", "⇢": "~", "…": "~", "·": "-", "×": "x", "µ": "u", "█": "#", "▌": "#", "▐": "#", "▏": "|", "▕": "|",
     "━": "-", "╸": "-", "╺": "-", "│": "|", "├": "|", "└": "`", "─": "-", "╴": " ", "🔒": "*", "✗": "!"}
)  # fmt: skip


def emit(report: str, rows: Sequence[Row], form: str, keys: Sequence[str] = ()) -> None:
    """Writes the rows in one of the forms. `keys` head an empty answer."""
    if form == "table":
        show(table(report, rows, columns_of(report, rows, keys)))
        return
    out(_TEXTS[form](rows, keys))


def json_text(rows: Sequence[Row], keys: Sequence[str] = ()) -> str:
    """A JSON list, indented by 2."""
    return cells.json_safe(json.dumps(list(rows), ensure_ascii=False, indent=2)) + "\n"


def jsonl_text(rows: Sequence[Row], keys: Sequence[str] = ()) -> str:
    """One JSON object a line."""
    return "".join(
        f"{cells.json_safe(json.dumps(row, ensure_ascii=False, separators=(',', ':')))}\n" for row in rows
    )


def csv_text(rows: Sequence[Row], keys: Sequence[str] = ()) -> str:
    """RFC 4180 with a header line; lists and objects are JSON, absent is empty, formulas are defused."""
    names = list(dict.fromkeys([*keys, *(key for row in rows for key in row)]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if names:
        writer.writerow([_csv_cell(name) for name in names])
    writer.writerows([_csv_cell(row.get(name)) for name in names] for row in rows)
    return text.getvalue()


def table(report: str, rows: Sequence[Row], columns: Sequence[Column] | None = None) -> RenderableType:
    """The rows in aligned columns as the terminal allows; what it does not allow is said on standard error."""
    return lines(fitted(rows, columns or columns_of(report, rows)))


def fitted(rows: Sequence[Row], columns: Sequence[Column]) -> Fitted:
    """What of a table the terminal has room for; the rest is said on standard error."""
    target = Console(file=sys.stdout)
    fitted = fit(columns, rows, width_of(target))
    if fitted.left_out:
        say(
            f"not shown at {target.width} columns: {', '.join(map(str.lower, fitted.left_out))}; -f json has all"
        )
    return fitted


def lines(fitted: Fitted) -> Text:
    """Padded cells, line by line: rich's own table took 0.45 s for 1,000 rows of 13 columns, this 0.14 s."""
    heading = [(Text(column.heading, "bold"), column.right) for column in fitted.columns]
    body = (
        [
            (Text(text, column.style(text)), column.right)
            for column, text in zip(fitted.columns, row, strict=True)
        ]
        for row in fitted.cells
    )
    return Text("\n").join(_line(line, fitted) for line in (heading, *body))


def labelled(facts: Mapping[str, str]) -> Table:
    """Labels on the left, sentences that wrap on the right."""
    grid = Table.grid()
    grid.add_column(no_wrap=True, style="dim", min_width=LABEL_CELLS)
    grid.add_column(overflow="fold")
    for label, text in facts.items():
        grid.add_row(Text(f"  {label}  "), Text(cells.visible(text)))
    return grid


def show(renderable: RenderableType, *, prose: bool = False) -> None:
    """Writes a rich renderable to standard output; `prose` is wrapped at a readable width."""
    target = Console(file=sys.stdout)
    width = width_of(target) or (PROSE_WIDTH if prose else PIPE_WIDTH)
    # Rendered to text first: rich answers a closed pipe by ending the process, click by the status for it.
    text = io.StringIO()
    Console(
        file=text,
        width=min(width, PROSE_WIDTH) if prose else width,
        force_terminal=target.is_terminal,
        color_system=_colours(target),
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    ).print(renderable, crop=False)
    out("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))


def out(text: str) -> None:
    """Data to standard output; what its encoding lacks is written in ASCII."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    click.echo(text, nl=False, color=True)


def say(text: str) -> None:
    """Narration to standard error, one line, with nothing that a terminal would obey."""
    stream: IO[Any] = sys.stderr
    line = cells.visible(text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(line.translate(_ASCII) if encoding.lower() == "ascii" else line, err=True)


def width_of(target: Console) -> int | None:
    """Cells of a line; `None` where standard output is no terminal and COLUMNS says nothing."""
    return target.width if target.is_terminal or environment.read("COLUMNS") else None


def _colours(target: Console) -> Any:
    # NO_COLOR is about colour only, but those who set it mostly want no escape codes at all.
    plain = target.no_color or environment.read("NO_COLOR") or not target.is_terminal
    return None if plain else "256" if target.color_system in ("256", "truecolor") else "standard"


def _line(line: Sequence[tuple[Text, bool]], fitted: Fitted) -> Text:
    for (text, right), width in zip(line, fitted.widths, strict=True):
        if fitted.cut:
            text.truncate(width, overflow="ellipsis")
        if text.cell_len <= width:
            text.align("right" if right else "left", width)
    return Text(" " * GAP).join(text for text, _ in line)


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = str(value)
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        text = f"'{text}"
    return "\n".join(cells.visible(line) for line in re.split(r"\r?\n", text))


_TEXTS: Final[Mapping[str, Callable[[Sequence[Row], Sequence[str]], str]]] = {
    "json": json_text,
    "jsonl": jsonl_text,
    "csv": csv_text,
}
