"""What a guard costs where nothing else runs: called in a loop for one proven caller. CPU.

It is less than what the bench `guard` finds in a server, where TLS and the kernel use the caches between two requests.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]

from guard_added import Bare  # noqa: E402  the path above comes first
from guarding import guard, scope_of  # noqa: E402
from identities import Scene  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402

from bindtrace.propagation.guard import spans  # noqa: E402
from bindtrace.propagation.guard.request import BOUNDARY, Stamp  # noqa: E402

CALLS = 2_000
ROUNDS = 5


def guard_loop() -> Iterator[str]:
    """Proof by mTLS, without an OpenTelemetry SDK and with one that exports nowhere."""
    plain = spans.tracer
    for what, provider in (("without an SDK", None), ("with an SDK", TracerProvider())):
        if provider is not None:
            tracer = provider.get_tracer(spans.SCOPE)
            setattr(spans, "tracer", lambda tracer=tracer: tracer)  # noqa: B010  whoever was first would set it for all
        try:
            cpu_us = asyncio.run(_least_us())
        finally:
            setattr(spans, "tracer", plain)  # noqa: B010
        yield f"mtls, {what}: {cpu_us:.0f} us of CPU a request (least of {ROUNDS} times {CALLS:,})"


async def _least_us() -> float:
    scene, bare = Scene(), Bare()
    application = guard(scene, bare)
    token, leaf = scene.domain.token(scene.key), scene.domain.leaf(scene.key)
    request = scene.request(token, "", peer=leaf)
    extensions = {BOUNDARY: Stamp(request.headers, leaf, "10.0.0.7", application)}
    answers: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answers.append(message["status"])

    async def receive() -> Any:
        return {"type": "http.request"}

    async def asked(app: Any) -> float:
        burnt = time.process_time()
        for _ in range(CALLS):
            await app(scope_of(request, extensions=extensions), receive, send)
        return (time.process_time() - burnt) / CALLS * 1e6

    await asked(application)
    rounds = [await asked(application) - await asked(bare) for _ in range(ROUNDS)]
    assert set(answers) == {200}
    return min(rounds)
