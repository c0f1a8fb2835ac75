"""`bindtrace authz`: the endpoint that a proxy asks, and the proxy's credentials as files."""

from __future__ import annotations

import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.identity.bundle import Bundle
from bindtrace.propagation.options import NamedPath
from bindtrace.propagation.workload.generation import Generation

DEFAULT_ADDRESS = "127.0.0.1:9191"


@click.group()
def authz() -> None:
    """Decides for the proxy in front of a service, by the same judgement as a guard inside it."""


@authz.command(short_help="Answers Envoy, nginx and Caddy until Ctrl-C.")
@click.option("--join", "invitation", required=True, type=NamedPath(),
              help="The file that `bindtrace authority issue` made for the service.")  # fmt: skip
@click.option("--mode", required=True, type=click.Choice(["observe", "enforce"]),
              help="Whether a refusal is only noted, or answered with 403.")  # fmt: skip
@click.option("--listen", default=DEFAULT_ADDRESS, show_default=True, metavar="ADDRESS",
              help="127.0.0.1:PORT, or unix:PATH in a private folder.")  # fmt: skip
@click.option("--files", "folder", type=NamedPath(),
              help="Keep certificate, key and trust of the proxy here, new ones before the old end.")  # fmt: skip
@click.option("--on-rotation", metavar="COMMAND",
              help="Run after each change of those files, such as `nginx -s reload`. Envoy needs none.")  # fmt: skip
@click.option(
    "--exempt", "exempt", multiple=True, metavar="PATH", help="Exact path that needs no credential."
)
@click.option("--proof", type=click.Choice(["any", "mtls", "wpt", "both"]), default="any", show_default=True,
              help="The proof to ask for where no policy asks for more.")  # fmt: skip
@click.option("--explain", is_flag=True, help="Tell callers the exact reason. For development.")
def serve(
    invitation: Path,
    mode: Any,
    listen: str,
    folder: Path | None,
    on_rotation: str | None,
    exempt: tuple[str, ...],
    proof: Any,
    explain: bool,
) -> None:
    """Answers ext_authz (HTTP), auth_request and forward_auth until Ctrl-C.

    200: let it pass; 403: refuse it; 503: trust or policy are missing. `bindtrace proxy envoy`, `nginx` and `caddy`
    write the proxy's side.
    """
    if find_spec("uvicorn") is None or find_spec("httptools") is None:
        raise Refusal("`bindtrace authz serve` needs `uvicorn`", fix="pip install 'bindtrace[shim]'.")
    from bindtrace.propagation.proxies.endpoint import AuthzApp
    from bindtrace.propagation.proxies.files import CredentialFiles
    from bindtrace.propagation.serving.endpoint import Endpoint, beside
    from bindtrace.propagation.serving.telemetry import trace_as
    from bindtrace.propagation.workload.identity import Identity

    bound = beside(listen)
    files = CredentialFiles(folder) if folder else None
    identity = Identity.join(invitation)
    provider = trace_as(identity.workload)
    if files is not None:
        identity.subscribe(_writing(files, on_rotation))
    receiver = identity.receiver(
        exempt_paths=frozenset(exempt), forwarded_from=frozenset({"127.0.0.1", "::1", "unix"}), proof=proof
    )
    app = AuthzApp(mode=mode, receiver=receiver, trust=identity, explain=explain)
    try:
        Endpoint(app, bound).run(
            ready=lambda: click.echo(f"{identity.workload} listens on {listen}, mode {mode}", err=True)
        )
    finally:
        identity.close()
        if provider is not None:
            provider.shutdown()
        if listen.startswith("unix:"):
            Path(listen.removeprefix("unix:")).unlink(missing_ok=True)


def _writing(files: Any, on_rotation: str | None) -> Any:
    """The first writing starts nothing: the proxy may not be running yet."""
    first = [True]

    def write(generation: Generation, bundle: Bundle) -> None:
        files.write(generation, bundle)
        if on_rotation and not first[0]:
            subprocess.run(shlex.split(on_rotation), stdin=subprocess.DEVNULL, check=False, timeout=30)
        first[0] = False

    return write
