"""Two real Envoys between a caller and a service, with credentials that rotate while they run."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guarding import serving
from interop.peers import peer
from interop.sidecars import process
from rotating import INVENTORY, ORDERS, Scaled
from support import free_port, listening, wait_for

from bindtrace.propagation.identity.spiffe import Workload
from bindtrace.propagation.proxies.block_yaml import dumped
from bindtrace.propagation.proxies.envoy import configuration
from bindtrace.propagation.proxies.files import CredentialFiles
from bindtrace.propagation.proxies.plan import Address, Callee, Caller, Sidecar


class Certified:
    """Answers 200, and keeps the hashes of the certificates that its callers came with."""

    def __init__(self) -> None:
        self.certificates: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        forwarded = dict(scope["headers"]).get(b"x-forwarded-client-cert", b"").decode()
        self.certificates |= set(re.findall("Hash=([0-9a-f]{64})", forwarded))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@contextlib.contextmanager
def through_envoys(
    scaled: Scaled, folder: Path, app: Certified, collector: Address | None = None
) -> Iterator[int]:
    """The port where orders' own calls to inventory go out. To a collector go spans, handshakes and statistics."""
    binary = peer("envoy")
    inbound, outbound = free_port(), free_port()
    leaf_life_s = int(scaled.lives.leaf_s)
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(serving(app, limit_concurrency=None))

        def beside(workload: Workload, **more: Any) -> None:
            identity = scaled.join(workload)
            stack.callback(identity.close)
            files = CredentialFiles(folder / f"{workload.service}.files")
            identity.subscribe(files.follow)
            nowhere = Address("127.0.0.1", 1)
            planned: dict[str, Any] = {
                "app": nowhere, "inbound": None, "public": None, "callers": (), "callees": (), "collector": collector,
                "authz": nowhere, **more,
            }  # fmt: skip
            sidecar = Sidecar(
                workload.of_service, files.folder, "enforce", "mtls", leaf_life_s=leaf_life_s, **planned
            )
            path, log = folder / f"{workload.service}.yaml", folder / f"{workload.service}.log"
            path.write_text(dumped(configuration(sidecar)))
            command = [binary, "-c", path, "--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"]
            started = stack.enter_context(process(command, log))
            listens = [
                place.port for place in (planned["inbound"], *(c.local for c in planned["callees"])) if place
            ]

            def up() -> bool:
                assert started.poll() is None, log.read_text()[-2000:]
                return all(map(listening, listens))

            wait_for(up, seconds=30, what=f"the Envoy of {workload.service}")

        beside(
            INVENTORY,
            app=Address("127.0.0.1", port),
            inbound=Address("127.0.0.1", inbound),
            callers=(Caller("b1", ORDERS.of_service),),
        )
        beside(
            ORDERS,
            callees=(
                Callee(
                    "b1",
                    None,
                    INVENTORY.of_service,
                    Address("127.0.0.1", outbound),
                    Address("127.0.0.1", inbound),
                ),
            ),
        )
        yield outbound
