"""T35: bundles roll over while receivers refresh with jitter; floods of unknown keys hardly ask the authority."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from campaigning import SEED, quantity
from guarding import App, call, guard
from identities import NOW_S, Domain, Scene
from rotating import ORDERS, Scaled

from bindtrace.propagation.guard.judge import judge
from bindtrace.propagation.guard.memory import Memory
from bindtrace.propagation.guard.request import Trust
from bindtrace.propagation.identity import bundle as bundles
from bindtrace.propagation.identity import keys
from bindtrace.propagation.identity.bundle import TokenKey
from bindtrace.propagation.workload.endpoint import Endpoint
from bindtrace.propagation.workload.identity import Identity

ROLLOVERS = quantity(300, 40)
FLOOD = quantity(50_000, 3_000)


def test_no_valid_token_is_unknown_to_a_receiver_that_refreshes(tmp_path: Path) -> None:
    """A key is in the bundle for three refreshes before it signs, so that whoever refreshes knows it."""
    dice = random.Random(SEED)
    scene = Scene()
    signing = keys.generate()
    published: list[keys.PrivateKey] = [signing]
    held = [list(published) for _ in range(4)]
    memories = [Memory() for _ in range(4)]
    reasons: set[str] = set()
    for rollover in range(ROLLOVERS):
        coming = keys.generate()
        published.append(coming)
        for _ in range(3):
            for place in dice.sample(range(4), 4):
                held[place] = list(published)
        scene.domain.token_key = signing = coming
        for place, memory in enumerate(memories):
            for _ in range(2):
                token_keys = {
                    keys.public_of(key).thumbprint: TokenKey(keys.public_of(key), NOW_S + 10_000)
                    for key in held[place]
                }
                trust = Trust(
                    {
                        scene.domain.name: scene.domain.bundle(
                            token_keys=MappingProxyType(token_keys), sequence=rollover
                        )
                    }
                )
                reasons.add(judge(scene.request(), scene.receiver, trust, memory, now_s=NOW_S).reason)
        published = published[-2:]

    assert reasons == {"ok"}


class Answering(Endpoint):
    """Counts what is asked of it, and answers with the bundle it is given."""

    def __init__(self) -> None:
        super().__init__("unix:/nowhere", ORDERS)
        self.asked = 0
        self.content = b""

    def get(self, path: str, bundle: Any, etag: str | None = None) -> tuple[bytes, str | None] | None:
        self.asked += path == "/v1/bundle"
        return (self.content, None) if path == "/v1/bundle" else None


def test_a_flood_of_unknown_keys_asks_once() -> None:
    scene, endpoint = Scene(), Answering()
    endpoint.content = bundles.serialize(scene.domain.bundle())
    identity = Identity(endpoint, scene.domain.bundle())
    identity._generation = generation()
    identity.start()
    strangers = Domain()
    guarded = guard(scene, App(), trust=identity)
    began = time.monotonic()
    tokens = [strangers.token(keys.generate()) for _ in range(50)]
    statuses = {
        call(guarded, scene.request(tokens[number % 50][:-4] + f"{number % 10_000:04}", "x"))[0]["status"]
        for number in range(FLOOD)
    }
    spent = time.monotonic() - began
    identity.close()

    assert statuses == {403}
    assert endpoint.asked <= 1 + spent / 30 + spent / 60


def generation() -> Any:
    """Enough of one for the thread to run by: nothing is due."""

    class Held:
        number, issued_s, signed_s, expires_s = 1, time.time(), time.time(), time.time() + 10_000

    return Held()


@pytest.fixture
def identity() -> tuple[Identity, Answering]:
    domain, endpoint = Domain(), Answering()
    made = Identity(endpoint, domain.bundle(sequence=5))
    endpoint.content = bundles.serialize(domain.bundle(sequence=5))
    return made, endpoint


def test_a_bundle_of_the_past_is_refused(
    identity: tuple[Identity, Answering], caplog: pytest.LogCaptureFixture
) -> None:
    made, endpoint = identity
    before = made.bundle

    endpoint.content = bundles.serialize(replace(before, sequence=4, authorities=()))
    made.refresh()

    assert made.bundle is before
    assert "event=bundle_refused reason=sequence" in caplog.text


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"keys":1}', b"{" * 1000, b"\xff", b"x" * 300_000])
def test_a_broken_bundle_is_refused_and_the_old_one_stays(
    identity: tuple[Identity, Answering], content: bytes
) -> None:
    made, endpoint = identity
    before = made.bundle

    endpoint.content = content
    made.refresh()

    assert made.bundle is before


@pytest.mark.timeout(300)
def test_a_joined_workload_follows_a_tainted_key(tmp_path: Path) -> None:
    scaled = Scaled(tmp_path)
    with scaled.running():
        caller = scaled.join(ORDERS)
        scaled.authority.taint("token", int(time.time()))
        deadline = time.monotonic() + 30
        while caller.generation.number < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        caller.close()

    assert caller.generation.number >= 2
