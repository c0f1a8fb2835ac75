"""`bindtrace serve`: reads what a person asks for, starts the collector, says where it is, and waits for a signal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from bindtrace.collector.ports import Address
from bindtrace.collector.quantities import DURATION, KEEP, KEPT, SIZE
from bindtrace.collector.receive.doors import DoorFiles, open_doors
from bindtrace.collector.supervisor import Cancelled, Settings, Supervisor, default_receivers
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.options import NamedPath
from bindtrace.propagation.platforms import STDIN, read_manifests
from bindtrace.propagation.wording import counted
from bindtrace.queries.lake.naming import lake_at


class _AddressType(click.ParamType[Address]):
    name = "HOST:PORT"

    def convert(
        self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        return value if isinstance(value, Address) else Address.parse(value)


ADDRESS = _AddressType()
FILE = NamedPath(dir_okay=False)
Command = TypeVar("Command", bound=Callable[..., Any])


def _setting(name: str, *more: str, **details: Any) -> Callable[[Command], Command]:
    """An option that a service's environment may give as well: `--journal-max` as BINDTRACE_JOURNAL_MAX."""
    variable = f"BINDTRACE_{name.removeprefix('--').replace('-', '_').upper()}"
    return click.option(name, *more, **{"envvar": variable, **details})


@click.command()
@_setting(
    "--db", type=NamedPath(dir_okay=False), default="bindtrace.duckdb",
    show_default=True, help="The database; its journal and lock stand beside it.",
)  # fmt: skip
@_setting(
    "--grpc", "grpc_address", type=ADDRESS, default="127.0.0.1:4317",
    show_default=True, help="Where to take OTLP over gRPC.",
)  # fmt: skip
@_setting(
    "--http", "http_address", type=ADDRESS, default="127.0.0.1:4318",
    show_default=True, help="Where to take OTLP over HTTP (/v1/traces).",
)  # fmt: skip
@_setting(
    "--zipkin", "zipkin_address", type=ADDRESS,
    help="Where to take Zipkin's spans too, as 127.0.0.1:9411; --http takes them at /zipkin/api/v2/spans.",
)  # fmt: skip
@_setting(
    "--api", "api_address", type=ADDRESS, default="127.0.0.1:4319",
    show_default=True, help="Where to answer questions.",
)  # fmt: skip
@_setting(
    "--manifest", "manifests", type=NamedPath(), multiple=True,
    metavar="FILE", help="What may call what: vercel.json, bindtrace.toml. May be given more than once.",
)  # fmt: skip
@_setting(
    "--receivers", type=click.IntRange(1, 64),
    help="Receiver processes.  [default: one less than the cores]",
)  # fmt: skip
@_setting(
    "--keep", type=KEEP, metavar="TIME",
    help="Delete telemetry that was received so long ago, as 7d or 12h; with a lake also by table, as "
    "spans=7d,hops=30d,findings=90d, in whole days.  [default: never]",
)  # fmt: skip
@_setting(
    "--seal-after", type=DURATION, metavar="TIME",
    help="Move traces into the lake after so long without a span of theirs, as 1h.  [default: 1h with --lake]",
)  # fmt: skip
@_setting(
    "--lake", "sealed_to", metavar="CATALOG",
    help="The lake to seal into: a file, or as DuckLake names it, ducklake:postgres:dbname=traces.  "
    "[default: beside the database]",
)  # fmt: skip
@_setting(
    "--data", envvar="BINDTRACE_LAKE_DATA", metavar="PATH",
    help="Where the lake's Parquet files are: a folder, or s3://…  [default: beside its catalog]",
)  # fmt: skip
@_setting(
    "--max-size", type=SIZE, metavar="SIZE",
    help="Delete the oldest before the database is larger, as 2GB.  [default: no limit]",
)  # fmt: skip
@_setting(
    "--journal-max", type=SIZE, default="1GiB", show_default=True, metavar="SIZE",
    help="Senders are asked to wait while so much is received and not stored yet.",
)  # fmt: skip
@_setting(
    "--disk-reserve", type=SIZE, default="512MiB", show_default=True, metavar="SIZE",
    help="Senders are asked to wait while the disk has less than this left.",
)  # fmt: skip
@_setting(
    "--memory", type=SIZE, default="320MiB", show_default=True, metavar="SIZE",
    help="Memory of the database; what needs more is done on disk, beside it.",
)  # fmt: skip
@_setting(
    "--tls-cert", type=FILE, metavar="FILE",
    help="Certificate chain (PEM): both OTLP doors then speak TLS only.",
)  # fmt: skip
@_setting("--tls-key", type=FILE, metavar="FILE", help="Its private key (PEM).")
@_setting(
    "--tls-client-ca", type=FILE, metavar="FILE",
    help="Take telemetry only from senders with a certificate of this authority (PEM).",
)  # fmt: skip
@_setting(
    "--token-file", type=FILE, metavar="FILE",
    help="Take telemetry only with a bearer token of this file: lines NAME:TOKEN.",
)  # fmt: skip
@_setting(
    "--drain-secret-file", type=FILE, metavar="FILE",
    help="Take telemetry over HTTP only with an x-vercel-signature by this secret (or a token).",
)  # fmt: skip
@_setting(
    "--api-token-file", type=FILE, metavar="FILE",
    help="Answer questions only with a bearer token of this file: lines NAME:TOKEN. Commands find theirs by "
    "BINDTRACE_API_TOKEN_FILE.",
)  # fmt: skip
@_setting(
    "--insecure-listen", is_flag=True,
    help="Allow addresses that other machines can reach, in plaintext and for anyone.",
)  # fmt: skip
def serve(
    db: Path,
    grpc_address: Address,
    http_address: Address,
    zipkin_address: Address | None,
    api_address: Address,
    manifests: tuple[Path, ...],
    receivers: int | None,
    keep: Mapping[str, int] | None,
    seal_after: int | None,
    sealed_to: str | None,
    data: str | None,
    max_size: int | None,
    journal_max: int,
    disk_reserve: int,
    memory: int,
    insecure_listen: bool,
    **door_files: Path | None,
) -> None:
    """Collect traces until Ctrl-C: OTLP in, findings out.

    A second Ctrl-C ends at once; what was acknowledged is in the journal and is loaded at the next start.
    """
    doors = DoorFiles(**{name: path and path.absolute() for name, path in door_files.items()})
    open_doors(doors)
    if not insecure_listen:
        _refuse_open_doors(doors, grpc_address, http_address, api_address)
        if zipkin_address is not None:
            _refuse_open_doors(doors, grpc_address, zipkin_address, api_address, "--zipkin")
    if STDIN in manifests:
        raise Refusal(
            "standard input can be read once, and a collector reads its manifests at every start of its storage",
            fix="save it to a file, and name that.",
        )
    read_manifests(manifests)
    sealed = sealed_to or seal_after
    if keep and "" not in keep and not sealed:
        raise Refusal(
            "--keep by table needs a lake", fix="give --seal-after or --lake, or one --keep for all"
        )
    if sealed_to:
        named = lake_at(sealed_to, data)
        sealed_to, data = named.catalog, named.data
    settings = Settings(
        db.absolute(),
        grpc_address,
        http_address,
        api_address,
        tuple(path.absolute() for path in manifests),
        receivers or default_receivers(),
        journal_max,
        disk_reserve,
        None if sealed or not keep else keep[""],
        max_size,
        doors,
        zipkin_address,
        memory,
        sealed_to,
        data,
        seal_after,
        _by_table(keep) if sealed and keep else (),
    )
    stop = _stop_on_signals()
    supervisor = Supervisor(settings)
    try:
        endpoints = supervisor.start(stop)
        click.echo(_welcome(db, settings, endpoints, supervisor.api_url), err=True)
        stop.wait()
        click.echo("bindtrace: stopping: answering what is in flight, then storing it", err=True)
    except Cancelled:
        return
    finally:
        supervisor.stop()


def _by_table(keep: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Seconds by table; what one number says, it says of all."""
    return tuple((table, keep.get(table, keep.get("", 0))) for table in KEPT if table in keep or "" in keep)


def _refuse_open_doors(
    doors: DoorFiles, grpc: Address, http: Address, api: Address, http_option: str = "--http"
) -> None:
    """Raises `Refusal` for an address that other machines reach without TLS and a proof of who they are."""
    for option, address, locked in (
        ("--grpc", grpc, doors.locks_grpc),
        (http_option, http, doors.locks_http),
        ("--api", api, doors.locks_api),
    ):
        if not locked and not address.is_loopback:
            how = "in plaintext and by anyone" if doors.tls_cert is None else "by anyone"
            proof = "--api-token-file" if option == "--api" else "--token-file or --tls-client-ca"
            better = f"give --tls-cert, --tls-key and {proof}, "
            raise Refusal(
                f"{option} {address} can be reached from other machines, {how}",
                fix=f"{better}listen on 127.0.0.1 behind a proxy with TLS, or accept it with --insecure-listen",
            )


def _stop_on_signals() -> threading.Event:
    """Set by the first SIGTERM or SIGINT. The second ends the process; children then go by the pipe."""
    stop = threading.Event()

    def on_signal(number: int, _: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop


def _welcome(db: Path, settings: Settings, endpoints: dict[str, str], api_url: str) -> str:
    declared = counted(len(settings.manifests), "manifest") if settings.manifests else "no manifest"
    scheme = "https" if settings.doors.tls_cert else "http"
    return "\n".join(
        (
            f"bindtrace: collecting into {db} ({counted(settings.receivers, 'receiver')}, {declared})",
            f"  OTLP gRPC  {endpoints['grpc']}",
            f"  OTLP HTTP  {scheme}://{endpoints['http']}/v1/traces",
            *(
                [f"  Zipkin     {scheme}://{endpoints['zipkin']}/api/v2/spans"]
                if "zipkin" in endpoints
                else []
            ),
            f"  API        {api_url}, a page in a browser",
            f"send spans:  export OTEL_EXPORTER_OTLP_ENDPOINT={scheme}://{endpoints['http']} "
            "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
            f"look:        bindtrace findings --url {api_url}",
            "stop:        Ctrl-C",
        )
    )
