"""T7: what changes while a connection lives counts for its next request: trust, denials, expiry."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from guarding import App, Spans, call, guard, listening
from identities import BINDING, NOW_S, POLICY, Domain, Scene

from bindtrace.propagation.guard.request import BOUNDARY, Stamp, Trust
from bindtrace.propagation.identity.policy import DeniedNow


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    return listening(monkeypatch)


class Changing:
    """A source whose trust a test replaces."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust

    def current(self) -> Trust:
        return self.trust

    def news(self) -> None:
        return None


def asked(spans: Spans, scene: Scene, source: Changing, now_s: float = NOW_S) -> str:
    """The reason for one more request on the connection."""
    request = scene.request(TOKENS[id(scene)], "", peer=LEAVES[id(scene)])
    stamp = Stamp(request.headers, request.peer, "10.0.0.7", None)
    application = guard(scene, App(), trust=source, now_unix_nano=lambda: int(now_s * 1e9))
    call(application, request, extensions={BOUNDARY: stamp})
    return str(dict(spans.all()[-1].attributes or {})["bindtrace.authz.reason"])


TOKENS: dict[int, str] = {}
LEAVES: dict[int, bytes] = {}


@pytest.fixture
def scene() -> Scene:
    made = Scene(policy=POLICY)
    TOKENS[id(made)] = made.domain.token(made.key)
    LEAVES[id(made)] = made.domain.leaf(made.key, life_s=600)
    return made


@pytest.mark.parametrize("times", [100])
def test_an_authority_that_is_taken_out_ends_the_connections_of_its_leaves(
    spans: Spans, scene: Scene, times: int
) -> None:
    source = Changing(scene.trust)
    before = asked(spans, scene, source)

    bundle = scene.domain.bundle(authorities=(Domain().ca,), sequence=2)
    source.trust = Trust({scene.domain.name: bundle}, POLICY, NOW_S)
    after = {asked(spans, scene, source) for _ in range(times)}

    assert (before, after) == ("ok", {"peer_cert_untrusted"})


def test_a_denied_epoch_ends_what_was_allowed(spans: Spans, scene: Scene) -> None:
    source = Changing(scene.trust)
    before = asked(spans, scene, source)

    denied = DeniedNow(epochs=MappingProxyType({"b1": 4}))
    source.trust = replace(source.trust, policy=replace(POLICY, denied=denied))

    assert (before, asked(spans, scene, source)) == ("ok", "revoked")


def test_a_binding_that_is_switched_off_ends_what_was_allowed(spans: Spans, scene: Scene) -> None:
    source = Changing(scene.trust)
    before = asked(spans, scene, source)

    off = replace(POLICY, bindings=MappingProxyType({"b1": replace(BINDING, active=False)}))
    source.trust = replace(source.trust, policy=off)

    assert (before, asked(spans, scene, source)) == ("ok", "binding_inactive")


@pytest.mark.parametrize(
    ("later_s", "reason"),
    [(599, "ok"), (600, "peer_cert_expired"), (929, "peer_cert_expired"), (931, "expired")],
)
def test_a_leaf_and_a_token_end_on_a_connection_that_goes_on(
    spans: Spans, scene: Scene, later_s: int, reason: str
) -> None:
    assert asked(spans, scene, Changing(scene.trust), NOW_S + later_s) == reason


def test_a_removed_token_key_ends_its_tokens(spans: Spans, scene: Scene) -> None:
    source = Changing(scene.trust)
    before = asked(spans, scene, source)

    other: Any = Domain().bundle().token_keys
    source.trust = Trust(
        {scene.domain.name: scene.domain.bundle(token_keys=other, sequence=2)}, POLICY, NOW_S
    )

    assert (before, asked(spans, scene, source)) == ("ok", "key_unknown")
