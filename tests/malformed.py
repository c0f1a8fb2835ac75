"""T10: malformed OTLP without end, from a seed: bodies that are nearly requests, in protobuf and JSON."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Literal

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Encoding = Literal["protobuf", "json"]
LENGTHS = (0, 7, 8, 9, 15, 16, 17, 32)
NUMBERS = (0, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
ODD_JSON = (
    None,
    True,
    0,
    -1,
    1.5,
    1e308,
    "",
    "x",
    [],
    {},
    [[]],
    "NaN",
    2**64,
    -(2**63) - 1,
    {"low": 1, "high": 1},
    "AAAA",
    "é\ud83d",
)


def seeds(dice: random.Random, count: int = 40) -> list[ExportTraceServiceRequest]:
    """Requests with every field, as senders draw them and at the edges of what a number may be."""
    return [_seed(dice) for _ in range(count)]


def bodies(seed: int) -> Iterator[tuple[Encoding, bytes]]:
    """First every truncation of every seed, then mutations for ever."""
    dice = random.Random(seed)
    requests = seeds(dice)
    whole = [request.SerializeToString() for request in requests]
    texts = [json_format.MessageToJson(request, indent=None).encode() for request in requests]
    while True:
        cuts = [(body, at) for body in whole for at in range(len(body))]
        dice.shuffle(cuts)  # so that a short run sees all of them somewhere
        for body, at in cuts:
            yield "protobuf", body[:at]
            yield "protobuf", _mutated(dice, body)
            yield "protobuf", _flipped(dice, body)
            yield "json", _mutated_json(dice, dice.choice(texts))
            text = dice.choice(texts)
            yield "json", text[: dice.randrange(len(text))]


def _seed(dice: random.Random) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add(schema_url="https://x/1")
    part.resource.attributes.add(key="service.name").value.string_value = dice.choice(["orders", "", "é"])
    scope = part.scope_spans.add()
    scope.scope.name = "lib"
    for _ in range(dice.randint(0, 3)):
        span = scope.spans.add(
            trace_id=dice.randbytes(dice.choice((16, 16, 16, *LENGTHS))),
            span_id=dice.choice(
                (dice.randbytes(8), dice.randbytes(8), bytes(8), dice.randbytes(dice.choice(LENGTHS)))
            ),
            parent_span_id=dice.choice(
                (b"", dice.randbytes(8), bytes(8), dice.randbytes(dice.choice(LENGTHS)))
            ),
            name="GET /a",
            kind=dice.choice((0, 1, 2, 3, 4, 5, 6, 255, -1)),  # type: ignore[arg-type]
            start_time_unix_nano=dice.choice(NUMBERS),
            end_time_unix_nano=dice.choice(NUMBERS),
            flags=dice.choice((0, 1, 0x300, 2**32 - 1)),
        )
        _fill(dice, span)
    return request


def _fill(dice: random.Random, span: Span) -> None:
    span.attributes.add(key="n").value.int_value = dice.choice((-(2**63), 0, 2**63 - 1))
    span.attributes.add(key="d").value.double_value = dice.choice((float("nan"), float("inf"), 5e-324))
    span.attributes.add(key="b").value.bytes_value = dice.randbytes(3)
    span.attributes.add(key="n").value.array_value.values.add().kvlist_value.values.add(key="x")
    span.events.add(name="e", time_unix_nano=dice.choice(NUMBERS)).attributes.add(key="k")
    span.links.add(
        trace_id=dice.randbytes(dice.choice(LENGTHS)), span_id=dice.randbytes(dice.choice(LENGTHS))
    )
    span.status.message = "m"


_SPLICES = (
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x0b\x0c",
    b"\x13",
    b"\x1c",
    b"\x00",
    b"\x0a\x80\x80\x80\x80\x10",
    b"\xf8\xff\xff\xff\x0f\x01",
    b"\x0d\0\0\0\0",
    b"\x09",
    b"\xc2\x3e\x02\x12\x00",
    b"\x0a\xff\x01",
    b"\xff",
)


def _mutated(dice: random.Random, body: bytes) -> bytes:
    """Bits flipped, bytes put in or out: overflowing lengths, groups, wrong wire types, text that is not UTF-8."""
    changed = bytearray(body)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(changed) + 1)
        match dice.randrange(4):
            case 0 if at < len(changed):
                changed[at] ^= 1 << dice.randrange(8)
            case 1:
                changed[at:at] = dice.choice(_SPLICES)
            case 2:
                del changed[at : at + dice.randint(1, 9)]
            case _:
                changed[at:at] = changed[dice.randrange(len(changed) + 1) :][: dice.randint(1, 40)]
    return bytes(changed)


def _flipped(dice: random.Random, body: bytes) -> bytes:
    """One bit only: the half of them are still requests, with another value somewhere."""
    changed = bytearray(body)
    if changed:
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _mutated_json(dice: random.Random, text: bytes) -> bytes:
    document = json.loads(text)
    for _ in range(dice.randint(1, 3)):
        _change(dice, document)
    out = json.dumps(document, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    match dice.randrange(8):
        case 0:
            return b"\xef\xbb\xbf" + out
        case 1:
            return out.replace(b'"', b"'", 1)
        case 2:  # the key twice
            return out.replace(b'{"', b'{"resourceSpans": 1, "', 1)
        case _:
            return out


def _change(dice: random.Random, document: object) -> None:
    """Replaces one value somewhere below."""
    while isinstance(document, dict | list) and document:
        key = dice.choice(list(document) if isinstance(document, dict) else range(len(document)))  # type: ignore[arg-type]
        if dice.random() < 0.25 or not isinstance(document[key], dict | list):  # type: ignore[index]
            document[key] = copy.deepcopy(dice.choice(ODD_JSON))  # type: ignore[index,call-overload]
            return
        document = document[key]  # type: ignore[index]
