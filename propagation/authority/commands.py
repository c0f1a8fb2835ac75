"""`bindtrace authority`: the control plane from the command line."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from bindtrace.propagation import clock
from bindtrace.propagation.absent import Absent
from bindtrace.propagation.authority.issuing import Authority, initialise
from bindtrace.propagation.authority.keyring import KINDS
from bindtrace.propagation.authority.log import first_broken
from bindtrace.propagation.authority.rotation import Lives, active
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.identity.policy import Binding
from bindtrace.propagation.identity.spiffe import Service, Workload, parse_service, parse_workload
from bindtrace.propagation.options import NamedPath, format_option
from bindtrace.propagation.platforms import read_manifests
from bindtrace.propagation.workload import joining

DIRECTORY = click.argument("directory", type=NamedPath())
PROJECT = click.option(
    "--project",
    default="default",
    show_default=True,
    help="The project in its services' SPIFFE ids; the same in all commands.",
)
ENVIRONMENT = click.option(
    "--env",
    "environment",
    default="production",
    show_default=True,
    help="The environment in its services' SPIFFE ids, and of grants.",
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Life(click.ParamType[int]):
    """`90s`, `15m`, `1h`, `7d`."""

    name = "life"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", value)
        if match is None:
            self.fail(f"`{value}` is not a span of time such as 90s, 15m, 1h or 7d.", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


def _now_s() -> int:
    return clock.now_unix_nano() // 10**9


@click.group()
def authority() -> None:
    """Identities for workloads: certificates and tokens that rotate by themselves.

    \b
    bindtrace authority init ca/ --trust-domain shop.example
    bindtrace authority register ca/ --manifest bindtrace.toml
    bindtrace authority issue ca/ --service orders --out orders.join
    bindtrace authority serve ca/
    """


@authority.command(short_help="Makes an authority in DIRECTORY.")
@DIRECTORY
@click.option(
    "--trust-domain", required=True, help="Name of all that trusts this authority, such as shop.example."
)
@click.option("--ca-life", "ca_s", type=Life(), default="7d", show_default=True,
              help="Of the key that signs certificates.")  # fmt: skip
@click.option("--token-key-life", "token_key_s", type=Life(), default="7d", show_default=True,
              help="Of the key that signs tokens.")  # fmt: skip
@click.option("--leaf-life", "leaf_s", type=Life(), default="1h", show_default=True,
              help="Of a workload's certificate.")  # fmt: skip
@click.option("--token-life", "token_s", type=Life(), default="15m", show_default=True,
              help="Of a workload's token.")  # fmt: skip
@click.option(
    "--skew", "skew_s", type=Life(), default="30s", show_default=True, help="How far clocks may differ."
)
@click.option(
    "--refresh",
    "refresh_s",
    type=Life(),
    default="60s",
    show_default=True,
    help="How often bundles are asked for.",
)
@click.option("--publish", "publish_s", type=Life(), default="5m", show_default=True,
              help="How long a key is known before it signs.")  # fmt: skip
def init(directory: Path, trust_domain: str, **lives: int) -> None:
    """Makes an authority in DIRECTORY: its keys, its registry, its log."""
    try:
        spans = Lives(**lives)
    except ValueError as wrong:
        raise Refusal(
            f"these lives do not fit together: {wrong}", fix="lengthen the life of the keys."
        ) from wrong
    made = initialise(directory, trust_domain, spans, _now_s())
    click.echo(f"authority of {made.trust_domain} in {directory}; answers as {made.own}", err=True)


@authority.command()
@DIRECTORY
@click.option(
    "--listen", default=None, metavar="ADDRESS", help="HOST:PORT, or unix:PATH (default: in DIRECTORY)."
)
def serve(directory: Path, listen: str | None) -> None:
    """Issues and renews over TLS, and rotates keys, until Ctrl-C."""
    if find_spec("uvicorn") is None or find_spec("httptools") is None:
        raise Refusal("`bindtrace authority serve` needs `uvicorn`", fix="pip install 'bindtrace[shim]'.")
    from bindtrace.propagation.serving.authority import serve as run

    address = listen or _socket_of(directory)
    run(directory, address, ready=lambda: click.echo(f"listening on {address}", err=True))


@authority.command(short_help="Makes the grants of manifests bindings.")
@DIRECTORY
@click.option("--manifest", "manifests", multiple=True, required=True, type=NamedPath(), metavar="FILE",
              help="What may call what; repeatable.")  # fmt: skip
@PROJECT
@ENVIRONMENT
@click.option("--proof", type=click.Choice(["any", "mtls", "wpt", "both"]), default="any", show_default=True,
              help="What calls by them must be proven with.")  # fmt: skip
def register(
    directory: Path, manifests: tuple[Path, ...], project: str, environment: str, proof: Any
) -> None:
    """Makes the grants of manifests the bindings that tokens are issued for."""
    opened = Authority(directory)
    grants = {
        (grant.caller, grant.callee)
        for manifest in read_manifests(manifests)
        for grant in manifest.grants
        if grant.environment in (None, environment)
    }
    if not grants:
        click.echo(f"these manifests grant nothing in {environment}", err=True)
    for caller, callee in sorted(grants):
        services = [_service(opened, project, environment, name) for name in (caller, callee)]
        calling, called = services
        opened.bind(Binding(f"{environment}.{caller}.{callee}", calling, called, 1, proof=proof))
        click.echo(f"{caller} may call {callee} ({environment})")


@authority.command(short_help="Invites a workload, by a file with a secret.")
@DIRECTORY
@click.option("--service", required=True, help="Its name, as grants and telemetry have it.")
@click.option("--deployment", default="1", show_default=True, help="Which of its deployments.")
@PROJECT
@ENVIRONMENT
@click.option("--address", "addresses", multiple=True, help="HOST:PORT where it answers; repeatable.")
@click.option("--dns", "dns_names", multiple=True, help="A DNS name for its certificate; repeatable.")
@click.option(
    "--authority-address", default=None, help="How the workload reaches the authority (default: its socket)."
)
@click.option("--out", required=True, type=NamedPath(), help="The file that the workload joins with.")
def issue(
    directory: Path,
    service: str,
    deployment: str,
    project: str,
    environment: str,
    addresses: tuple[str, ...],
    dns_names: tuple[str, ...],
    authority_address: str | None,
    out: Path,
) -> None:
    """Invites a workload: a private file with a secret that works once, within ten minutes."""
    opened = Authority(directory)
    named = Workload(*_service(opened, project, environment, service), deployment)
    workload = parse_workload(str(named))
    if isinstance(workload, Absent):
        raise Refusal(
            f"`{named}` is not a workload id ({workload.reason})", fix="use letters, digits, `.`, `-`, `_`."
        )
    now_s = _now_s()
    opened.register(workload, now_s, addresses, dns_names)
    secret = opened.invite(workload, now_s)
    address = authority_address or _socket_of(directory)
    joining.write(out, joining.Invitation(address, workload, secret, opened.bundle()))
    click.echo(f"{workload} can join with {out} once, within ten minutes", err=True)


@authority.command()
@DIRECTORY
@click.option(
    "--taint", type=click.Choice(list(KINDS)), help="This key is compromised: its successor signs now."
)
def rotate(directory: Path, taint: Any) -> None:
    """Does what is due now; `serve` does it by itself."""
    opened = Authority(directory)
    steps = opened.taint(taint, _now_s()) if taint else opened.rotate(_now_s())
    for step in steps:
        click.echo(f"{step.action} {step.kind} {step.number}")
    if not steps:
        click.echo("nothing is due", err=True)


@authority.command()
@DIRECTORY
@click.option("--deployment", help="A Workload id that is taken back.")
@click.option("--jti", help="One token.")
@click.option("--serial", help="One certificate, in hex.")
@click.option("--binding", help="A binding whose issued tokens all end: its next epoch begins.")
def deny(
    directory: Path, deployment: str | None, jti: str | None, serial: str | None, binding: str | None
) -> None:
    """Takes back what was issued; receivers know within their refresh."""
    opened = Authority(directory)
    chosen = {"deployment": deployment, "token": jti, "serial": serial, "epoch": binding}
    if not any(chosen.values()):
        raise Refusal("nothing is named", fix="give --deployment, --jti, --serial or --binding.")
    for kind, value in chosen.items():
        if value is not None:
            opened.deny(kind, value, _now_s())
            click.echo(f"denied {kind} {value}")


@authority.command()
@DIRECTORY
@format_option(("table", "json"))
def status(directory: Path, form: str) -> None:
    """Keys, what was issued, and whether the log holds. Exit status 1 where its chain is broken."""
    opened = Authority(directory)
    bundle = opened.bundle()
    broken = first_broken(opened.store.issued())
    said: dict[str, Any] = {
        "trust_domain": opened.trust_domain,
        "bundle_sequence": bundle.sequence,
        **{field.name: getattr(opened.lives, field.name) for field in fields(Lives)},
        **opened.store.counts(),
        "log": "holds" if broken is None else f"broken at entry {broken}",
        "keys": [],
    }  # fmt: skip
    for kind in KINDS:
        rows = [row.key for row in opened.store.keys(kind)]
        signing = active(rows)
        for key in rows:
            state = "tainted" if key.tainted else "published" if key.activated_s is None else "retired"
            state = "active" if signing is not None and key.number == signing.number else state
            said["keys"].append({"kind": kind, "number": key.number, "state": state, "ends_s": key.ends_s})
    if form == "json":
        click.echo(json.dumps(said, indent=1))
    else:
        for name, value in said.items():
            for line in value if isinstance(value, list) else [value]:
                click.echo(f"{name:16} {_of_key(line) if isinstance(line, dict) else line}")
    if broken is not None:
        raise click.exceptions.Exit(1)


def _of_key(key: dict[str, Any]) -> str:
    ends = datetime.fromtimestamp(key["ends_s"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{key['kind']} {key['number']} {key['state']}, ends {ends}"


def _socket_of(directory: Path) -> str:
    return f"unix:{(directory / 'authority.sock').resolve()}"


def _service(opened: Authority, project: str, environment: str, name: str) -> Service:
    service = Service(opened.trust_domain, project, environment, name)
    if isinstance(parsed := parse_service(str(service)), Absent) or project == "bindtrace":
        why = parsed.reason if isinstance(parsed, Absent) else "the project is reserved"
        raise Refusal(
            f"`{service}` is not a service id ({why})", fix="use letters, digits, `.`, `-` and `_`."
        )
    return service
