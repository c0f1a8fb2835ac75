"""T5 through real servers: one spelling of the header is taken; docs/servers.md says what becomes of the rest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from identities import INVENTORY, Domain
from interop.peers import CACHE, peer
from interop.sidecars import process
from spellings import SPELLINGS, TAKEN, answered, documented, request
from support import free_port, listening, wait_for

from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.identity import bundle as bundles
from bindtrace.propagation.identity import keys, wpt

OF_OURS = ("serve_guarded", "uvicorn (h11)", "uvicorn (httptools)", "wsgiref")
OF_OTHERS = ("hypercorn", "granian", "gunicorn", "waitress", "werkzeug", "cheroot")
LOW = ("wsgiref", "cheroot")
"""Where an attack cannot be seen: the guard runs there only if told to, and says so on each span."""
CHILD = Path(__file__).with_name("header_server.py")


@pytest.mark.slow
@pytest.mark.parametrize("server", [*OF_OURS, *OF_OTHERS])
def test_the_page_says_what_each_server_and_the_guard_in_it_make_of_each_spelling(
    server: str, tmp_path: Path
) -> None:
    if server in OF_OTHERS:
        peer("servers")
    domain, key = Domain(now_s=now_unix_nano() // 10**9), keys.generate()
    bundle, port = tmp_path / "bundle.json", free_port()
    bundle.write_bytes(bundles.serialize(domain.bundle()))
    log = tmp_path / "server.log"
    found = {}
    with process(
        [sys.executable, CHILD, server, port, bundle], log, PYTHONPATH=str(CACHE / "servers")
    ) as started:

        def up() -> bool:
            assert started.poll() is None, log.read_text()[-2000:]
            return listening(port)

        wait_for(up, seconds=30, what=server)
        for spelling in SPELLINGS:
            token = domain.token(key)
            proof = wpt.issue(token, key, callee=INVENTORY.of_service, method="GET", now_s=domain.now_s)
            found[spelling] = answered(port, request(spelling, token, proof))

    taken = {spelling for spelling, outcome in found.items() if outcome == "ok"}
    assert set(TAKEN) <= taken
    assert server in LOW or taken <= {*TAKEN, "two spellings"}
    assert found == documented()[server], log.read_text()[-2000:]
