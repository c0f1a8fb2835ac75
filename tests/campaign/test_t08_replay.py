"""T8: captured requests sent again, and pairs sent at once: exactly one of each passes, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from campaigning import quantity
from guarding import App, as_bytes, exchange, guard, serving
from identities import NOW_S, Scene, service

from bindtrace.propagation.guard.memory import Memory, ReplayCache

REQUESTS = quantity(10_000, 1_000)
PAIRS = quantity(1_000, 100)


def test_each_captured_request_passes_once_and_only_as_it_was() -> None:
    scene = Scene()
    token = scene.domain.token(scene.key)
    first, again, elsewhere, otherwise, late = (Counter[str]() for _ in range(5))
    for _ in range(REQUESTS):
        request = scene.request(token)
        elsewhere[scene.judge(request, service=service("s-billing")).reason] += 1
        otherwise[scene.judge(request._replace(method="POST")).reason] += 1
        first[scene.judge(request).reason] += 1
        again[scene.judge(request).reason] += 1
        late[scene.judge(request, now_s=NOW_S + 91).reason] += 1

    assert first == {"ok": REQUESTS}
    assert again == {"pop_replayed": REQUESTS}
    assert elsewhere == {"callee_mismatch": REQUESTS}
    assert otherwise == {"pop_method_mismatch": REQUESTS}
    assert late == {"pop_expired": REQUESTS}


def test_of_two_at_once_one_passes() -> None:
    scene = Scene()
    token = scene.domain.token(scene.key)
    with serving(guard(scene, App())) as port, ThreadPoolExecutor(8) as threads:
        raws = [as_bytes(scene.request(token)) for _ in range(PAIRS)]
        answers = list(threads.map(lambda raw: exchange(port, raw), [raw for raw in raws for _ in range(2)]))

    statuses = [int(answer.split()[1]) for answer in answers]
    pairs = Counter(tuple(sorted(statuses[place : place + 2])) for place in range(0, len(statuses), 2))
    assert pairs == {(200, 403): PAIRS}


def test_memory_is_bounded_and_full_is_refused_and_forgotten_in_time() -> None:
    size = quantity(200_000, 20_000)
    cache = ReplayCache(size, quota=size // 2)
    tracemalloc.start()
    used = Counter(
        cache.take(f"key{number % 3}", f"{number:022}", NOW_S + 90, NOW_S) for number in range(2 * size)
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert used["new"] == size == len(cache)
    assert used["full"] == size
    assert peak < size * 500
    assert cache.take("key0", "later", NOW_S + 190, NOW_S + 91) == "new"
    assert len(cache) == 1


def test_one_caller_cannot_fill_it_for_others() -> None:
    scene, other = Scene(memory=Memory(ReplayCache(100, quota=50))), Scene()
    other.domain, other.memory = scene.domain, scene.memory
    token = scene.domain.token(scene.key)

    greedy = Counter(scene.judge(scene.request(token)).reason for _ in range(100))

    assert greedy == {"ok": 50, "pop_cache_saturated": 50}
    assert other.judge().reason == "ok"
