"""The options that every question shares: which data, which window, which environment, which form. No queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from bindtrace.propagation.options import NamedPath, format_option
from bindtrace.queries.query import FOREVER, Query
from bindtrace.queries.source import LAKE
from bindtrace.queries.window import EXAMPLES, Moment

T = TypeVar("T")

TABLE_FORMATS: Final = ("table", "json", "jsonl", "csv")
CHAIN_FORMATS: Final = ("tree", *TABLE_FORMATS, "mermaid", "svg", "html")
EDGE_FORMATS: Final = (*TABLE_FORMATS, "mermaid", "svg")
FINDING_FORMATS: Final = (*TABLE_FORMATS, "sarif")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the shared options say. `limit` 0 means all rows."""

    db: Path | None
    url: str | None
    since_unix_nano: int
    until_unix_nano: int
    environment: str | None
    form: str
    limit: int

    def query(self, filters: Mapping[str, str | None] | None = None) -> Query:
        """The query for these options; a filter that is `None` was not given.

        Asks for one row more than the limit, so that the answer tells whether there was more.
        """
        return Query(
            since_unix_nano=self.since_unix_nano,
            until_unix_nano=self.until_unix_nano,
            environment=self.environment,
            filters={column: value for column, value in (filters or {}).items() if value is not None},
            limit=self.limit + 1 if self.limit else None,
        )


_DB: Final = click.option(
    "--db",
    type=NamedPath(dir_okay=False),
    envvar="BINDTRACE_DB",
    show_envvar=True,
    help="The database file of a stopped collector.",
)
_URL: Final = click.option(
    "--url",
    envvar="BINDTRACE_URL",
    show_envvar=True,
    metavar="URL",
    help="A running collector, as http://127.0.0.1:4319. Without --db and --url: the collector that "
    "answers there, else the file bindtrace.duckdb.",
)
_LAKE: Final = click.option(
    "--lake",
    metavar="CATALOG",
    help="What collectors sealed, without any of them: PATH.lake/catalog.ducklake, or ducklake:postgres:…",
)


def database_options(function: Callable[..., T]) -> Callable[..., T]:
    """`--db PATH | --url URL`, passed on as `db` and `url`, of which at most one is not `None`."""

    @_DB
    @_URL
    @wraps(function)
    def with_database(*args: Any, db: Path | None, url: str | None, **kwargs: Any) -> T:
        if db is not None and url is not None:
            db, url = _typed_one(db, url)
        return function(*args, db=db, url=url, **kwargs)

    return with_database


def data_options(function: Callable[..., T]) -> Callable[..., T]:
    """`--db PATH | --url URL | --lake CATALOG`, passed on as `db` and `url`: a lake as a `url` (`ducklake:…`)."""

    @_DB
    @_URL
    @_LAKE
    @wraps(function)
    def with_data(*args: Any, db: Path | None, url: str | None, lake: str | None, **kwargs: Any) -> T:
        if lake is not None:
            if typed("db", "url"):
                raise click.UsageError("--lake, --db and --url exclude each other")
            db, url = None, lake if lake.startswith(LAKE) else f"{LAKE}{lake}"
        elif db is not None and url is not None:
            db, url = _typed_one(db, url)
        return function(*args, db=db, url=url, **kwargs)

    return with_data


def typed(*names: str) -> bool:
    """Whether one of the command's options was typed: its own, or before the verb, as `--lake` may stand."""
    given = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)
    context = click.get_current_context()
    return any(context.get_parameter_source(name) in given for name in names)


def file_option(default: Path) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """`--db` of what only a stopped collector's file can be asked for, passed on as `db`."""
    return click.option(
        "--db",
        type=NamedPath(dir_okay=False),
        default=default,
        envvar="BINDTRACE_DB",
        show_default=True,
        show_envvar=True,
        help="The database file of a stopped collector.",
    )


def common(
    formats: tuple[str, ...] = TABLE_FORMATS, *, limit: int = 0
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Gives a command all shared options as its first argument, an `Asked`. `formats[0]` is the default."""

    def decorate(function: Callable[..., T]) -> Callable[..., T]:
        @data_options
        @click.option(
            "--since",
            type=Moment(),
            default=0,
            envvar="BINDTRACE_SINCE",
            show_default="everything",
            metavar="WHEN",
            help=f"Only what began at or after {EXAMPLES}.",
        )
        @click.option(
            "--until",
            type=Moment(),
            default=FOREVER,
            envvar="BINDTRACE_UNTIL",
            show_default="everything",
            metavar="WHEN",
            help="Only what began before; the same forms.",
        )
        @click.option(
            "--env", envvar="BINDTRACE_ENV", metavar="NAME", help="Only this environment, as `production`."
        )
        @format_option(formats)
        @click.option(
            "--limit",
            type=click.IntRange(min=0),
            default=limit,
            envvar="BINDTRACE_LIMIT",
            show_default="all" if limit == 0 else True,
            help="At most so many rows; 0 for all.",
        )
        @wraps(function)
        def with_all(
            *args: Any,
            db: Path | None,
            url: str | None,
            since: int,
            until: int,
            env: str | None,
            form: str,
            limit: int,
            **kwargs: Any,
        ) -> T:
            if since >= until:
                raise click.BadParameter(
                    "the window is empty: --since is not before --until", param_hint="'--since'"
                )
            return function(Asked(db, url, since, until, env or None, form, limit), *args, **kwargs)

        return with_all

    return decorate


def _typed_one(db: Path, url: str) -> tuple[Path | None, str | None]:
    """What is typed beats what the environment says. Raises `UsageError` where neither or both are typed."""
    if typed("db") == typed("url"):
        raise click.UsageError("--db and --url exclude each other: a file, or the collector that holds it")
    return (db, None) if typed("db") else (None, url)
