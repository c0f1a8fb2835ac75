"""`bindtrace proxy`: configurations of real proxies in front of a service."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.identity.spiffe import Service, parse_service
from bindtrace.propagation.options import NamedPath, format_option
from bindtrace.propagation.platforms import read_manifests
from bindtrace.propagation.proxies import envoy as envoys
from bindtrace.propagation.proxies import envoy_check, templates
from bindtrace.propagation.proxies.authz_command import DEFAULT_ADDRESS
from bindtrace.propagation.proxies.block_yaml import dumped
from bindtrace.propagation.proxies.files import CredentialFiles
from bindtrace.propagation.proxies.named_addresses import named
from bindtrace.propagation.proxies.plan import Sidecar, address, callees_of, callers_of

F = TypeVar("F", bound=Callable[..., Any])


def _shared(command: F) -> F:
    """The options of every proxy."""
    options = (
        click.option("--service", required=True, help="The service that it stands before, as grants name it."),
        click.option("--manifest", "manifests", multiple=True, type=NamedPath(),
                     help="What is granted; repeatable."),
        click.option("--trust-domain", required=True, help="The one that `bindtrace authority init` was given."),
        click.option("--project", default="default", show_default=True,
                     help="As `bindtrace authority issue` was given it."),
        click.option("--env", "environment", default="production", show_default=True,
                     help="As `bindtrace authority issue` was given it."),
        click.option("--files", "folder", required=True, type=NamedPath(),
                     help="Where `bindtrace run` or `authz serve --files` keeps its credentials."),
        click.option("--app", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT",
                     help="Where the service itself listens, on the loopback only."),
        click.option("--inbound", metavar="HOST:PORT", help="Where other services reach it, by mutual TLS."),
        click.option("--authz", default=DEFAULT_ADDRESS, show_default=True, metavar="HOST:PORT",
                     help="Where `bindtrace authz serve` listens."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def proxy() -> None:
    """Writes what a real proxy in front of a service is configured with, and checks what there is."""


@proxy.command(short_help="A whole Envoy beside a service, on stdout.")
@_shared
@click.option("--mode", required=True, type=click.Choice(["observe", "enforce"]),
              help="Whether a refusal is only noted, or answered with 403.")  # fmt: skip
@click.option("--proof", type=click.Choice(["mtls", "wpt"]), default="mtls", show_default=True,
              help="mtls: Envoy decides by certificates; wpt: it asks `authz serve` about proof tokens.")  # fmt: skip
@click.option("--callee", "callees", multiple=True, metavar="NAME=HOST:PORT",
              help="A granted callee and where its sidecar listens; repeatable.")  # fmt: skip
@click.option("--outbound", default="127.0.0.1:15001", show_default=True, metavar="HOST:PORT",
              help="Where it listens for the service's own calls: from here on, one port per callee in the order "
                   "of names.")  # fmt: skip
@click.option(
    "--public", metavar="HOST:PORT", help="A listener for the outside, which takes all of our headers off."
)
@click.option("--otlp", default="127.0.0.1:4317", show_default=True, metavar="HOST:PORT",
              help="The collector, by gRPC; `-` for no spans.")  # fmt: skip
@click.option("--leaf-life", "leaf_life_s", type=click.IntRange(60), default=3600, show_default=True,
              metavar="SECONDS", help="Life of a certificate; connections end after two fifths of it.")  # fmt: skip
@click.option("--fragment", is_flag=True, help="Only the parts to add to an existing configuration.")
def envoy(
    service: str,
    manifests: tuple[Path, ...],
    trust_domain: str,
    project: str,
    environment: str,
    folder: Path,
    app: str,
    inbound: str | None,
    authz: str,
    mode: Any,
    proof: Any,
    callees: tuple[str, ...],
    outbound: str,
    public: str | None,
    otlp: str,
    leaf_life_s: int,
    fragment: bool,
) -> None:
    """A whole Envoy beside a service, on stdout: mutual TLS in and out, grants, spans.

    \b
    bindtrace proxy envoy --service orders --manifest bindtrace.toml --trust-domain shop.example \\
      --files creds/ --inbound 0.0.0.0:8443 --callee inventory=10.0.0.5:8443 --mode enforce > envoy.yaml
    """
    own = own_service(trust_domain, project, environment, service)
    read = read_manifests(manifests)
    sidecar = Sidecar(
        service=own,
        files=folder.absolute(),
        mode=mode,
        proof=proof,
        app=address(app),
        inbound=address(inbound) if inbound else None,
        public=address(public) if public else None,
        callers=callers_of(read, own),
        callees=callees_of(read, own, named(callees), address(outbound)),
        collector=None if otlp == "-" else address(otlp),
        authz=address(authz),
        leaf_life_s=leaf_life_s,
    )
    if not (sidecar.inbound or sidecar.public or sidecar.callees or fragment):
        raise Refusal("this Envoy would listen nowhere", fix="give --inbound, --public or --callee.")
    if sidecar.inbound and not sidecar.callers:
        click.echo(f"warning: no manifest grants a call to {service}: {mode} refuses everybody", err=True)
    CredentialFiles(
        folder
    )  # Envoy does not start before the files are there that say where its secrets will be
    click.echo(dumped(envoys.fragment(sidecar) if fragment else envoys.configuration(sidecar)), nl=False)


def own_service(trust_domain: str, project: str, environment: str, name: str) -> Service:
    """The id of the service that a proxy stands before. Raises Refusal for what is none."""
    found = parse_service(str(Service(trust_domain, project, environment, name)))
    if isinstance(found, Absent):
        raise Refusal(
            f"`{name}` of project {project}, {environment}, in `{trust_domain}` makes no service id ({found.reason})",
            fix="use letters, digits, `.`, `-` and `_`.",
        )
    return found


def _asking(command: F) -> F:
    """The options of proxies that ask `authz serve` about every request."""
    options = (
        click.option("--files", "folder", required=True, type=NamedPath(),
                     help="Where `authz serve --files` keeps its credentials."),
        click.option("--inbound", required=True, metavar="HOST:PORT", help="Where other services reach it."),
        click.option("--app", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT",
                     help="Where the service itself listens, on the loopback only."),
        click.option("--authz", default=DEFAULT_ADDRESS, show_default=True, metavar="HOST:PORT",
                     help="Where `bindtrace authz serve` listens."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@proxy.command(short_help="A server of nginx before a service, on stdout.")
@_asking
@click.option("--leaf-life", "leaf_life_s", type=click.IntRange(60), default=3600, show_default=True,
              metavar="SECONDS", help="Life of a certificate; connections end after two fifths of it.")  # fmt: skip
def nginx(folder: Path, inbound: str, app: str, authz: str, leaf_life_s: int) -> None:
    """A server of nginx before a service, on stdout: mutual TLS, and `auth_request` at `authz serve`."""
    places = (address(inbound), address(app), address(authz))
    click.echo(templates.nginx(folder, *places, leaf_life_s), nl=False)


@proxy.command(short_help="A Caddyfile before a service, on stdout.")
@_asking
def caddy(folder: Path, inbound: str, app: str, authz: str) -> None:
    """A Caddyfile before a service, on stdout: mutual TLS, and `forward_auth` at `authz serve`."""
    click.echo(templates.caddy(folder, address(inbound), address(app), address(authz)), nl=False)


@proxy.command()
@click.argument("file", type=NamedPath(exists=True, dir_okay=False))
@format_option(("table", "json"))
def check(file: Path, form: str) -> None:
    """Says which evidence an Envoy configuration does not give. Exit status 1 where any is missing."""
    found = envoy_check.missing(str(file), file.read_text("utf-8", "replace"))
    if any(problem.fatal for problem in found):
        raise Refusal(f"{found[0].place}: {found[0].message}", fix=found[0].fix)
    if form == "json":
        rows = [
            {"code": p.code, "file": p.file, "line": p.line, "message": p.message, "fix": p.fix}
            for p in found
        ]
        click.echo(json.dumps(rows, indent=1))
    for problem in found if form == "table" else ():
        click.echo(f"{problem.place}: {problem.message}\n    fix: {problem.fix}")
    if found:
        raise click.exceptions.Exit(1)
    click.echo(f"{file}: nothing is missing", err=True)
