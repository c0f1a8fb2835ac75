"""`bindtrace run`: starts a service as a platform with bindings would, on any host."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from bindtrace.propagation import environment
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.options import NamedPath
from bindtrace.propagation.platforms import read_manifests
from bindtrace.propagation.proxies import envoy as envoys
from bindtrace.propagation.proxies import plan, registry, running
from bindtrace.propagation.proxies.authz_command import DEFAULT_ADDRESS
from bindtrace.propagation.proxies.block_yaml import dumped
from bindtrace.propagation.proxies.files import CredentialFiles
from bindtrace.propagation.proxies.named_addresses import named
from bindtrace.propagation.workload.identity import Identity


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--service", required=True, help="Its name, as grants have it.")
@click.option("--join", "invitation", required=True, type=NamedPath(),
              help="The file that `bindtrace authority issue` made for it.")  # fmt: skip
@click.option("--manifest", "manifests", multiple=True, type=NamedPath(),
              help="What is granted; one variable is set for each callee. Repeatable.")  # fmt: skip
@click.option("--callee", "callees", multiple=True, metavar="NAME=HOST:PORT",
              help="Where a callee listens, if not where the registry says; repeatable.")  # fmt: skip
@click.option(
    "--sidecar", metavar="ENVOY", help="Start this Envoy beside it: calls go in and out by mutual TLS."
)
@click.option(
    "--mode", type=click.Choice(["observe", "enforce"]), help="The sidecar's mode, which has no default."
)
@click.option("--proof", type=click.Choice(["mtls", "wpt"]), default="mtls", show_default=True,
              help="mtls: the sidecar decides by certificates; wpt: it asks about proof tokens.")  # fmt: skip
@click.option("--app", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT",
              help="Where the command listens, on the loopback only.")  # fmt: skip
@click.option("--inbound", metavar="HOST:PORT", help="Where the sidecar listens for other services.")
@click.option("--outbound", default="127.0.0.1:15001", show_default=True, metavar="HOST:PORT",
              help="Where the sidecar listens for its calls: from here on, one port per callee, by name.")  # fmt: skip
@click.option("--authz", default=DEFAULT_ADDRESS, show_default=True, metavar="HOST:PORT",
              help="With --proof wpt, where the sidecar asks.")  # fmt: skip
@click.option("--otlp", metavar="HOST:PORT", help="The collector, by gRPC.")
@click.option("--files", "folder", type=NamedPath(),
              help="Keep certificate, key and trust here (default: a private folder that is removed).")  # fmt: skip
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...], **wanted: Any) -> None:
    """Runs COMMAND with its bindings as variables, an identity that renews itself, and telemetry set up.

    \b
    bindtrace run --service orders --join orders.join --manifest bindtrace.toml \\
      --sidecar envoy --mode enforce --inbound 0.0.0.0:8443 -- uvicorn app:app --port 8080

    Signals are handed on; the exit status is the command's. BINDTRACE_CREDENTIALS names the folder of its certificate.
    """
    if wanted["sidecar"] and not wanted["mode"]:
        raise Refusal("the sidecar's --mode is not said", fix="give --mode observe, or --mode enforce.")
    raise click.exceptions.Exit(_run(command, wanted))


def _run(command: tuple[str, ...], wanted: Mapping[str, Any]) -> int:
    manifests = read_manifests(wanted["manifests"])
    with contextlib.ExitStack() as stack:
        folder = wanted["folder"] or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="bindtrace-"))
        )
        files = CredentialFiles(folder)
        identity = Identity.join(wanted["invitation"])
        stack.callback(identity.close)
        own = identity.workload.of_service
        if own.service != wanted["service"]:
            raise Refusal(
                f"the invitation is for {own.service}, not for {wanted['service']}",
                fix="give the one of this service.",
            )
        identity.subscribe(files.follow)
        variables = plan.granted_callees(manifests, own)
        found = registry.addresses_of(registry.read(identity.registry()), own, variables)
        addresses = {**found, **named(wanted["callees"])}
        for callee in sorted(variables.keys() - addresses.keys()):
            click.echo(
                f"warning: nobody said where {callee} listens; {variables[callee]} is not set", err=True
            )
        outgoing = plan.callees_of(manifests, own, addresses, plan.address(wanted["outbound"]))
        otlp = wanted["otlp"]
        leads = {
            variables[callee.service.service]: (
                callee.service.service,
                f"http://{callee.local}" if wanted["sidecar"] else f"https://{callee.address}",
            )
            for callee in outgoing
        }
        sidecar = None
        if wanted["sidecar"]:
            settled = _settled(wanted, own, files, manifests, outgoing, identity)
            if settled.follows_registry:
                followed = running.FollowedRegistry(
                    identity, files, own, [c.service.service for c in outgoing]
                )
                followed.start()
                stack.callback(followed.stop)
            if settled.proof == "wpt":
                stack.enter_context(_asked(wanted, identity))
            path = files.folder / "envoy.yaml"
            path.write_text(dumped(envoys.configuration(settled)))
            ports = [place for place in (settled.inbound, *(c.local for c in outgoing)) if place]
            line = [wanted["sidecar"], "-c", path, "--use-dynamic-base-id", "-l", "warning"]
            sidecar = running.Sidecar(line, ports)
            stack.callback(sidecar.stop)
        before = environment.snapshot()
        gained = running.environment_of(identity.workload, leads, f"http://{otlp}" if otlp else None, before)
        credentials = {"BINDTRACE_CREDENTIALS": str(files.folder)}
        return running.run(command, {**before, **gained, **credentials}, sidecar)


def _settled(
    wanted: Mapping[str, Any],
    own: Any,
    files: CredentialFiles,
    manifests: Any,
    outgoing: tuple[plan.Callee, ...],
    identity: Identity,
) -> plan.Sidecar:
    """The sidecar's plan. It follows the registry unless a callee's address is given by hand."""
    inbound = wanted["inbound"]
    if not inbound and not outgoing:
        raise Refusal(
            "the sidecar would listen nowhere", fix="give --inbound, or say where a callee listens."
        )
    generation = identity.generation
    life_s = generation.certificate.not_valid_after_utc.timestamp() - generation.issued_s
    return plan.Sidecar(
        service=own,
        files=files.folder,
        mode=wanted["mode"],
        proof=wanted["proof"],
        app=plan.address(wanted["app"]),
        inbound=plan.address(inbound) if inbound else None,
        public=None,
        callers=plan.callers_of(manifests, own),
        callees=outgoing,
        collector=plan.address(wanted["otlp"]) if wanted["otlp"] else None,
        authz=plan.address(wanted["authz"]),
        leaf_life_s=max(2, int(life_s)),
        follows_registry=bool(outgoing) and not wanted["callees"],
    )


@contextlib.contextmanager
def _asked(wanted: Mapping[str, Any], identity: Identity) -> Iterator[None]:
    """The endpoint that the sidecar asks about proof tokens, in this process."""
    if find_spec("uvicorn") is None or find_spec("httptools") is None:
        raise Refusal("`--proof wpt` needs `uvicorn`", fix="pip install 'bindtrace[shim]'.")
    from bindtrace.propagation.proxies.endpoint import AuthzApp
    from bindtrace.propagation.serving.endpoint import Endpoint, beside
    from bindtrace.propagation.serving.telemetry import trace_as

    provider = trace_as(identity.workload, endpoint=f"http://{wanted['otlp']}" if wanted["otlp"] else None)
    receiver = identity.receiver(forwarded_from=frozenset({"127.0.0.1", "::1", "unix"}))
    endpoint = Endpoint(
        AuthzApp(mode=wanted["mode"], receiver=receiver, trust=identity), beside(wanted["authz"])
    )
    endpoint.start()
    try:
        yield
    finally:
        endpoint.stop()
        if provider is not None:
            provider.shutdown()
