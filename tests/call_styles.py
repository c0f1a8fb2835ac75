"""The ways in which one service may call another, as their telemetry tells of it, and the truth of each."""

from __future__ import annotations

import json
from typing import Any

from call_drawing import CLIENT, EDGE, INTERNAL, MS, PRODUCER, SERVER, Call, Drawing, Span, Style, Visit


def weights(draw: Drawing, visit: Visit, callee: str) -> dict[Style, float]:
    """How likely each way is, 0 where the two services' telemetry could not tell of it."""
    mine, theirs = draw.told[visit.service], draw.told[callee]
    seen, client = draw.seen(callee), "client" in mine
    return {
        plain: 40,
        internal: 15 if client or "server" in mine else 0,
        retry: 10 if client and seen and callee not in visit.retried else 0,
        hedge: 4 if client and seen and callee not in visit.retried else 0,
        proxy_retry: 6 if client and "sidecar" in mine and seen else 0,
        redirect: 4 if client and seen and callee not in visit.retried else 0,
        gateway: 6 if seen else 0,
        edge: 5 if seen and (client or "sidecar" in mine) else 0,
        duplicate: 6 if seen and (client or "sidecar" in mine) else 0,
        dropped: 6 if client and "server" in theirs else 0,
        message: 4 if client and "server" in theirs else 0,
        link: 4 if client and "server" in theirs else 0,
        shared: 5 if mine == theirs == ("server", "client") else 0,
    }


def plain(draw: Drawing, visit: Visit, callee: str, depth: int) -> None:
    sent = draw.leave(visit, callee)
    last = sent[-1] if sent else visit.context
    if last is None:
        return
    ways = draw.arrive(draw.inner(visit, callee, last), depth)
    draw.end(*sent)
    draw.told_of(visit, callee, ways, sent)
    if ways:
        draw.calls.append(Call((visit.service, callee), ways))


def internal(draw: Drawing, visit: Visit, callee: str, depth: int) -> None:
    outer = visit.context
    visit.context = draw.span(visit, visit.service, INTERNAL, outer)
    plain(draw, visit, callee, depth)
    draw.end(visit.context)
    visit.context = outer


def retry(draw: Drawing, visit: Visit, callee: str, depth: int, status: int = 503) -> None:
    """Tries one after another; some reach nobody. An answered try may have called others."""
    answered = [draw.random.random() < 0.5 for _ in range(draw.random.randint(1, 2))]
    answered.append(draw.random.random() < 0.8 or not any(answered))
    ways, known = list[list[Span]](), (*visit.path, callee) in draw.leaves
    tried: list[Visit] = []
    tries: list[Span] = []
    for place, reached in enumerate(answered):
        again = {"resend_count": place} if place else {}
        final = place == max(where for where, hit in enumerate(answered) if hit)
        sent = draw.leave(visit, callee, http_status=200 if final else status, **again)
        tries.append(sent[0])
        if reached:
            deeper = depth if final or draw.random.random() < 0.3 else 99
            tried.append(draw.inner(visit, callee, sent[-1]))
            ways += draw.arrive(tried[-1], deeper)
        draw.end(*sent)
    draw.drop_false_leaf(visit, callee, known, tried)
    visit.called = True
    visit.retried.add(callee)
    draw.calls.append(Call((visit.service, callee), ways, len(answered), tries=tries))


def hedge(draw: Drawing, visit: Visit, callee: str, depth: int) -> None:
    """Two tries at once, both answered."""
    ways, known = list[list[Span]](), (*visit.path, callee) in draw.leaves
    tried: list[Visit] = []
    tries: list[Span] = []
    began = draw.now
    for place in (0, 1):
        sent = draw.leave(visit, callee, **({"resend_count": 1} if place else {}))
        tries.append(sent[0])
        tried.append(draw.inner(visit, callee, sent[-1]))
        ways += draw.arrive(tried[-1], 99 if place else depth)
        draw.end(*sent)
        draw.now = began + 2 * MS
    draw.now = draw.latest
    draw.drop_false_leaf(visit, callee, known, tried)
    visit.called = True
    visit.retried.add(callee)
    draw.calls.append(Call((visit.service, callee), ways, 2, tries=tries))


def proxy_retry(draw: Drawing, visit: Visit, callee: str, depth: int) -> None:
    """One client span, below which the sidecar tried several times."""
    host: dict[str, Any] = {"server_host": f"{callee}.internal"}
    client = draw.span(visit, visit.service, CLIENT, visit.context, **host)
    ways, known = list[list[Span]](), (*visit.path, callee) in draw.leaves
    tried: list[Visit] = []
    for place in (0, 1):
        proxy = draw.span(visit, visit.service, CLIENT, client, proxy=True, **host)
        tried.append(draw.inner(visit, callee, proxy))
        ways += draw.arrive(tried[-1], depth if place else 99)
        draw.end(proxy)
    draw.end(client)
    draw.drop_false_leaf(visit, callee, known, tried)
    visit.called = True
    draw.calls.append(Call((visit.service, callee), ways, 2))


def redirect(draw: Drawing, visit: Visit, callee: str, depth: int) -> None:
    """A callee that sends its caller on to another: two calls, each of its own pair."""
    others = [name for name in draw.names if draw.seen(name) and name not in (visit.service, callee)]
    if not others:
        return retry(draw, visit, callee, depth, 302)
    first = draw.leave(visit, others[0], http_status=302)
    ways = draw.arrive(draw.inner(visit, others[0], first[-1]), 99)
    draw.end(*first)
    draw.calls.append(Call((visit.service, others[0]), ways))
    second = draw.leave(visit, callee, resend_count=1)
    ways = draw.arrive(draw.inner(visit, callee, second[-1]), depth)
    draw.end(*second)
    draw.calls.append(Call((visit.service, callee), ways, 2, tries=[first[0], second[0]]))
    visit.called = True
    visit.retried |= {callee, others[0]}
    return None


def gateway(draw: Drawing, visit: Visit, callee: str, depth: int) -> None:
    """A proxy with a name of its own is a service that is called and calls."""
    name = f"gw-{draw.random.randint(0, 1)}"
    sent = draw.leave(visit, name)
    entry = draw.span(visit, name, SERVER, sent[-1] if sent else visit.context, proxy=True)
    onward = draw.span(visit, name, CLIENT, entry, proxy=True, server_host=f"{callee}.internal")
    last = sent[-1] if sent else visit.context
    ways = draw.arrive(draw.inner(visit, callee, onward, via=name), depth)
    draw.end(*sent, entry, onward)
    visit.called = True
    if last is not None:
        draw.calls.append(Call((visit.service, name), [[last, entry]]))
    draw.calls.append(Call((name, callee), ways))


def edge(draw: Drawing, visit: Visit, callee: str, depth: int) -> None:
    """A declared edge is looked through; without one of its spans it is the callee that was seen."""
    sent = draw.leave(visit, EDGE)
    entry = draw.span(visit, EDGE, SERVER, sent[-1], proxy=True)
    onward = draw.span(visit, EDGE, CLIENT, entry, proxy=True, server_host=f"{callee}.internal")
    ways = draw.arrive(draw.inner(visit, callee, onward), depth)
    draw.end(*sent, entry, onward)
    visit.called = True
    draw.calls.append(Call((visit.service, callee), [[sent[-1], entry, *way] for way in ways]))
    draw.paths.add((*visit.path, EDGE))
    draw.calls.append(Call((visit.service, EDGE), [], extra=1))


def duplicate(draw: Drawing, visit: Visit, callee: str, depth: int) -> None:
    """A gateway that sends the traceparent it was given before its own: its callee becomes its sibling."""
    name = f"node-{draw.random.randint(0, 1)}"
    sent = draw.leave(visit, name)
    entry = draw.span(visit, name, SERVER, sent[-1])
    onward = draw.span(visit, name, CLIENT, entry, server_host=f"{callee}.internal")
    ways = draw.arrive(draw.inner(visit, callee, sent[-1], via=name), depth)
    draw.end(*sent, entry, onward)
    visit.called = True
    draw.calls += [
        Call((visit.service, name), [[sent[-1], entry]], tries=[onward]),
        Call((name, callee), [[entry, onward, *way] for way in ways]),
    ]
    draw.shortcuts.append((visit.service, callee, entry))


def dropped(draw: Drawing, visit: Visit, callee: str, depth: int) -> None:
    """The trace context was dropped on the way; the Service-Binding header arrived."""
    said: dict[str, Any] = {"claimed_chain": f"{visit.chain:032x}", "claimed_hop": visit.hop + 1}
    sent = draw.leave(visit, callee, claimed_callee=callee, **said)
    inner = draw.inner(visit, callee, None)
    inner.trace = draw.trace()
    mine = draw.serve(inner, depth, claimed_caller=visit.service, **said)
    draw.end(*sent)
    visit.called = True
    draw.calls.append(Call((visit.service, callee), [[sent[0], mine[-1]]], extra=1))


def message(draw: Drawing, visit: Visit, callee: str, depth: int) -> None:
    sent = draw.span(visit, visit.service, PRODUCER, visit.context, messaging_system="kafka")
    draw.end(sent)
    ways = draw.arrive(draw.inner(visit, callee, sent), depth, message=True)
    visit.called = True
    draw.calls.append(Call((visit.service, callee), ways))


def link(draw: Drawing, visit: Visit, callee: str, depth: int) -> None:
    """A consumer with a trace of its own, which names by a span link what it was sent."""
    sent = draw.span(visit, visit.service, PRODUCER, visit.context, messaging_system="kafka")
    draw.end(sent)
    inner = draw.inner(visit, callee, None)
    inner.trace = draw.trace()
    link = json.dumps([{"trace_id": f"{sent.trace:032x}", "span_id": f"{sent.id:016x}"}])
    mine = draw.serve(inner, depth, message=True, links=link)
    visit.called = True
    draw.calls.append(Call((visit.service, callee), [[sent, mine[-1]]]))


def shared(draw: Drawing, visit: Visit, callee: str, depth: int) -> None:
    """Zipkin's way: client and server span have one id and one parent."""
    sent = draw.leave(visit, callee)[0]
    mark = len(draw.spans)
    inner = draw.inner(visit, callee, visit.context)
    (mine,) = draw.serve(inner, depth)
    below = [span for span in draw.spans[mark:] if span.parent == mine.id]
    for span in below:
        span.parent = sent.id
        draw.shortcuts.append((visit.service, span.service, mine))
    mine.id = sent.id
    draw.end(sent)
    visit.called = True
    draw.calls.append(Call((visit.service, callee), [[sent, mine]], extra=1 + len(below)))
