"""`bindtrace proxy check`: nothing is missing in what we write, and what is taken out is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from identities import INVENTORY, ORDERS

from bindtrace.propagation.proxies.block_yaml import dumped
from bindtrace.propagation.proxies.envoy import configuration
from bindtrace.propagation.proxies.envoy_check import QUESTIONS, missing
from bindtrace.propagation.proxies.plan import Address, Caller, Sidecar
from bindtrace.propagation.proxies.proxy_command import proxy

Block = dict[str, Any]
HERE = Address("127.0.0.1", 8443)


def written(proof: Any = "mtls") -> Block:
    return configuration(
        Sidecar(
            INVENTORY.of_service, Path("/creds"), "enforce", proof, app=HERE, inbound=HERE, public=None,
            callers=(Caller("b1", ORDERS.of_service),), callees=(), collector=HERE, authz=HERE,
        )
    )  # fmt: skip


def codes(block: Block) -> list[str]:
    return [problem.code for problem in missing("envoy.yaml", dumped(block))]


@pytest.mark.parametrize("proof", ["mtls", "wpt"])
def test_nothing_is_missing_in_what_we_write(proof: str) -> None:
    assert codes(written(proof)) == []


def chain(block: Block) -> Block:
    return dict(block["static_resources"]["listeners"][0]["filter_chains"][0])


def manager(block: Block) -> Block:
    found: Block = chain(block)["filters"][0]["typed_config"]
    return found


def tls(block: Block) -> Block:
    found: Block = chain(block)["transport_socket"]["typed_config"]
    return found


def without_tag(name: str) -> Callable[[Block], None]:
    def change(block: Block) -> None:
        tracing = manager(block)["tracing"]
        tracing["custom_tags"] = [tag for tag in tracing["custom_tags"] if tag["tag"] != name]

    return change


def fails_open(block: Block) -> None:
    manager(block)["http_filters"][0]["typed_config"]["failure_mode_allow"] = True


def peer_unknown(block: Block) -> None:
    without_tag("bindtrace.peer.id")(block)
    without_tag("bindtrace.caller.id")(block)


CHANGES: dict[str, Callable[[Block], object]] = {
    "NO_TRACER": lambda block: manager(block)["tracing"].pop("provider"),
    "NO_CALL_SPAN": lambda block: manager(block)["tracing"].pop("spawn_upstream_span"),
    "SAMPLED": lambda block: manager(block)["tracing"]["random_sampling"].update(value=1),
    "NO_CLAIM": without_tag("http.request.header.service-binding"),
    "NO_PEER": peer_unknown,
    "NO_HANDSHAKE_LOG": lambda block: block["static_resources"]["listeners"][0].pop("access_log"),
    "NO_REFUSAL_COUNT": lambda block: block.pop("stats_sinks"),
    "NO_CERTIFICATE_HASH": without_tag("bindtrace.peer.cert_sha256"),
    "NO_VERDICT": without_tag("bindtrace.authz.reason"),
    "FORGEABLE_CERTIFICATE": lambda block: manager(block).update(
        forward_client_cert_details="APPEND_FORWARD"
    ),
    "FAILS_OPEN": fails_open,
    "RESUMED": lambda block: tls(block).pop("disable_stateless_session_resumption"),
    "OLD_TLS": lambda block: tls(block)["common_tls_context"].pop("tls_params"),
    "OLD_CONNECTIONS": lambda block: manager(block)["common_http_protocol_options"].pop(
        "max_connection_duration"
    ),
}


@pytest.mark.parametrize("code", [question.code for question in QUESTIONS])
def test_each_piece_of_evidence_that_is_taken_out_is_named_alone(code: str) -> None:
    block = copy.deepcopy(written("wpt" if code == "FAILS_OPEN" else "mtls"))

    CHANGES[code](block)

    assert codes(block) == [code]


@pytest.mark.parametrize("text", ["", "a: [", "static_resources: {listeners: 7}", "[]", "{}"])
def test_what_is_no_configuration_is_one_line_with_the_way_out(tmp_path: Path, text: str) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text(text)

    done = CliRunner().invoke(proxy, ["check", str(path)])

    assert done.exit_code == 2
    assert "fix: " in done.output


def test_the_exit_status_says_whether_anything_is_missing(tmp_path: Path) -> None:
    block, path = written(), tmp_path / "envoy.yaml"
    path.write_text(dumped(block))
    complete = CliRunner().invoke(proxy, ["check", str(path)])
    CHANGES["OLD_TLS"](block)
    path.write_text(dumped(block))

    lacking = CliRunner().invoke(proxy, ["check", str(path)])

    assert (complete.exit_code, lacking.exit_code) == (0, 1)
    assert lacking.output.startswith(f"{path}:")
    assert "TLSv1_3" in lacking.output
