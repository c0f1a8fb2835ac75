"""A service in another language: docs/callers.md is all that it has, and an enforcing guard takes its calls."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from guarding import App, serving
from rotating import INVENTORY, ORDERS, Scaled, called

from bindtrace.propagation.authority.rotation import Lives
from bindtrace.propagation.binding_header import Binding, parse

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "callers.md"


@pytest.mark.slow
def test_a_node_service_that_follows_the_page_is_let_in_by_an_enforcing_guard(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    code = re.search(r"```js\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    page = tmp_path / "caller.mjs"
    page.write_text(code[1])
    scaled, app = Scaled(tmp_path, Lives()), App()
    with scaled.running():
        callee = scaled.join(INVENTORY)
        stranger = scaled.join(ORDERS)
        invitation = scaled.invite(ORDERS)
        with called(callee, app) as port, serving(App(), stranger.server_context()) as other:
            done = subprocess.run(
                [node, HERE / "node_caller.mjs", page, invitation, f"https://127.0.0.1:{port}/stock/7",
                 f"https://127.0.0.1:{other}/stock/7"],
                capture_output=True, text=True, timeout=60,
            )  # fmt: skip
        callee.close()
        stranger.close()

    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert {name: outcome for name, outcome in outcomes.items() if outcome == 200} == dict.fromkeys(
        ("mtls", "wpt", "wpt beside an access token", "renewed, mtls", "renewed, wpt"), 200
    ), outcomes
    assert outcomes["a token with a longer signature"] == [403, "signature_invalid"]
    assert outcomes["a service without a binding"].startswith("credential_unavailable")
    assert "which is not who was called" in outcomes["another service at the address"]
    sent = dict(app.scopes[0]["headers"])
    read = parse([sent[b"service-binding"].decode()])
    assert isinstance(read, Binding)
    assert (read.caller, read.callee, read.hop) == ("orders", "inventory", 1)
    assert not any(name.startswith(b"workload") for name in sent)
