"""What a random call graph is made of: services at work, the spans they tell, what was lost, and the truth."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
MS = 1_000_000
NOON = 1_790_000_000_000 * MS
# what a service tells of itself: its server spans, its client spans, its sidecar's
MODES: dict[str, tuple[str, ...]] = {
    "full": ("server", "client"),
    "meshed": ("server", "client", "sidecar"),
    "server": ("server",),
    "client": ("client",),
    "sidecar": ("sidecar",),
    "unseen": (),
}
MODE_WEIGHTS = (40, 15, 10, 6, 15, 14)
EDGE = "edge-0"
Pair = tuple[str, str]


@dataclass(slots=True, eq=False)
class Span:
    """One row of `spans`; times in ns on the clock of its service's host."""

    service: str
    kind: int
    trace: int
    id: int
    parent: int | None
    start: int
    end: int
    proxy: bool
    columns: dict[str, object]
    lost: bool = False


@dataclass(slots=True)
class Bounds:
    """How often a pair must and may be seen as a call; `attempts` of each of its calls."""

    must: int = 0
    may: int = 0
    attempts: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Graph:
    """The spans that arrived, and the truth. `paths` lead from the entry to each service, `leaves` to each end."""

    number: int
    seed: int
    spans: list[Span]
    calls: dict[Pair, Bounds]
    paths: set[tuple[str, ...]]
    leaves: set[tuple[str, ...]]
    # a service was left out of a path with all that told of it
    shortened: bool
    # a callee tells of client spans only: its visit is seen as one for each, of which some lead nowhere
    folded: bool
    # nothing was lost and nothing is ambiguous: the evidence allows the whole truth
    whole: bool


@dataclass(slots=True)
class Call:
    """A logical call: joined where one of its `ways` survived whole. `extra` are joins that need no such way."""

    pair: Pair
    ways: list[list[Span]]
    attempts: int = 1
    extra: int = 0
    must: bool = True
    # a lost try leaves those after it to be taken for tries of another call
    tries: list[Span] = field(default_factory=list)


@dataclass(slots=True)
class Visit:
    """A service at work: `context` is the span that what it sends out has as parent."""

    service: str
    trace: int
    context: Span | None
    path: tuple[str, ...]
    chain: int
    hop: int = 0
    called: bool = False
    retried: set[str] = field(default_factory=set)


Style = Callable[["Drawing", Visit, str, int], None]
Weights = Callable[["Drawing", Visit, str], dict[Style, float]]


class Drawing:
    """One graph as it is drawn: services, the clock, the spans so far, and the truth that goes with them."""

    def __init__(self, seed: int, number: int, weights: Weights) -> None:
        self.random = random.Random(seed)
        self.seed, self.number, self.weights = seed, number, weights
        self.names = [f"svc-{place}" for place in range(self.random.randint(2, 12))]
        modes = self.random.choices(list(MODES), MODE_WEIGHTS, k=len(self.names))
        modes[0] = self.random.choice(["full", "meshed", "server", "sidecar"])
        self.told = {name: MODES[mode] for name, mode in zip(self.names, modes, strict=True)}
        self.skewed = self.random.random() < 0.5
        self.skew: dict[str, int] = {}
        self.remote = self.random.random() < 0.5
        self.spans: list[Span] = []
        self.calls: list[Call] = []
        self.paths: set[tuple[str, ...]] = set()
        self.leaves: set[tuple[str, ...]] = set()
        self.ids, self.traces, self.budget = 0, 0, self.random.randint(1, 14)
        self.now = self.latest = NOON
        # caller, callee, and the span between them without which nothing tells of the service between
        self.shortcuts: list[tuple[str, str, Span]] = []

    def draw(self) -> Graph:
        trace = self.trace()
        root = Visit("svc-0", trace, None, ("svc-0",), trace)
        self.serve(root, 0)
        self._lose()
        kept = [span for span in self.spans if not span.lost]
        folded = any(self.told[one.pair[1]] == ("client",) for one in self.calls if one.pair[1] in self.told)
        shortened = any(between.lost for _, _, between in self.shortcuts)
        whole = len(kept) == len(self.spans)
        return Graph(
            self.number,
            self.seed,
            kept,
            self._bounds(whole),
            self.paths,
            self.leaves,
            shortened,
            folded,
            whole,
        )

    def _bounds(self, whole: bool) -> dict[Pair, Bounds]:
        bounds: dict[Pair, Bounds] = {}
        for call in self.calls:
            pair = bounds.setdefault(call.pair, Bounds())
            joined = sum(not any(span.lost for span in way) for way in call.ways)
            certain = call.must and not any(span.lost for span in call.tries)
            pair.must += 1 if joined and certain else 0
            # what was told of whole is told of once, however often it was tried
            pair.may += 1 if whole and call.attempts > 1 else joined + call.extra
            pair.attempts.append(call.attempts)
        for caller, callee, between in self.shortcuts:
            bounds.setdefault((caller, callee), Bounds()).may += between.lost
        return bounds

    def _lose(self) -> None:
        """Nothing, spans here and there, or all spans of one service; a lost span may have been anywhere."""
        fate, share = self.random.random(), self.random.uniform(0.03, 0.3)
        silent = self.random.choice(self.names)
        for span in self.spans:
            if fate > 0.85:
                span.lost = span.service == silent
            elif fate > 0.55:
                span.lost = self.random.random() < share

    # spans

    def trace(self) -> int:
        self.traces += 1
        return ((self.number + 1) << 32) + self.traces

    def span(
        self,
        visit: Visit,
        service: str,
        kind: int,
        parent: Span | None,
        proxy: bool = False,
        **columns: Any,
    ) -> Span:
        self.ids += 1
        self.now += MS
        self.latest = max(self.latest, self.now)
        if service not in self.skew:
            self.skew[service] = self.random.randint(-2000, 2000) * MS if self.skewed else 0
        start = self.now + self.skew[service]
        identity = ((self.number + 1) << 24) + self.ids
        span = Span(
            service, kind, visit.trace, identity, parent.id if parent else None, start, 0, proxy, columns
        )
        self.spans.append(span)
        return span

    def end(self, *spans: Span) -> None:
        for span in reversed(spans):
            self.now += MS
            span.end = self.now + self.skew[span.service]
        self.latest = max(self.latest, self.now)

    # visits

    def serve(self, visit: Visit, depth: int, message: bool = False, **columns: Any) -> list[Span]:
        """What the service tells of being called, and of what it calls in turn; returns its spans, outermost first."""
        told = self.told[visit.service]
        self.paths.add(visit.path)
        open_: list[Span] = []
        if "sidecar" in told and not message:
            open_.append(self.span(visit, visit.service, SERVER, visit.context, proxy=True))
            if self.random.random() < 0.5:
                open_.append(
                    self.span(
                        visit, visit.service, CLIENT, open_[-1], proxy=True, proxy_cluster="inbound|80||"
                    )
                )
        if "server" in told:
            kind = CONSUMER if message else SERVER
            parent = open_[-1] if open_ else visit.context
            open_.append(self.span(visit, visit.service, kind, parent, **columns))
        # a sidecar's leg to its application is no parent of what the application calls, unless nothing else is
        visit.context = open_[-1] if open_ else visit.context
        for _ in range(self.random.randint(0, 3)):
            if self.budget > 0 and depth < 8 and told:
                self.budget -= 1
                self._call(visit, depth)
        if not visit.called:
            self.leaves.add(visit.path)
        self.now = self.latest  # calls may have run beside one another
        self.end(*open_)
        return open_

    def seen(self, service: str) -> bool:
        return "server" in self.told[service] or "sidecar" in self.told[service]

    def _call(self, visit: Visit, depth: int) -> None:
        callee = self.random.choice([name for name in self.names if name != visit.service])
        styles = self.weights(self, visit, callee)
        (style,) = self.random.choices(list(styles), list(styles.values()))
        before = self.now
        style(self, visit, callee, depth + 1)
        if self.random.random() < 0.3:
            self.now = before  # the next call runs beside this one

    def inner(self, visit: Visit, callee: str, context: Span | None, via: str | None = None) -> Visit:
        """The visit that a call makes."""
        path = (*visit.path, via, callee) if via else (*visit.path, callee)
        if via:
            self.paths.add(path[:-1])
        return Visit(callee, visit.trace, context, path, visit.chain, visit.hop + 1)

    def leave(self, visit: Visit, callee: str, **columns: Any) -> list[Span]:
        """What the caller's side tells of a call that leaves it."""
        told, spans = self.told[visit.service], list[Span]()
        host: dict[str, Any] = {"server_host": f"{callee}.internal"}
        if "client" in told:
            spans.append(self.span(visit, visit.service, CLIENT, visit.context, **host, **columns))
        if "sidecar" in told:
            parent = spans[-1] if spans else visit.context
            spans.append(self.span(visit, visit.service, CLIENT, parent, proxy=True, **host))
        return spans

    def arrive(self, inner: Visit, depth: int, **columns: Any) -> list[list[Span]]:
        """Serves a call whose last span is the inner visit's context; returns the ways by which that shows."""
        last, mark = inner.context, len(self.spans)
        self.serve(inner, depth, **columns)
        assert last is not None
        return [
            [last, span]
            for span in self.spans[mark:]
            if span.parent == last.id and span.service == inner.service and span.trace == last.trace
        ]

    def told_of(self, visit: Visit, callee: str, ways: list[list[Span]], sent: list[Span]) -> None:
        """Notes an unseen end of a chain: a callee of which only its caller's span tells."""
        if ways:
            visit.called = True
        elif sent:
            visit.called = True
            self.leaves.discard((*visit.path, callee))
            self.leaves.add((*visit.path, f"{callee}.internal"))
        else:
            self.leaves.discard((*visit.path, callee))

    def drop_false_leaf(self, visit: Visit, callee: str, known: bool, tried: list[Visit]) -> None:
        """A try that came to nothing ends no chain where another try of the same call went on."""
        if not known and any(one.called for one in tried):
            self.leaves.discard((*visit.path, callee))
