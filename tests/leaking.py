"""Credentials that tests plant in telemetry: 45 kinds, none of them real, and the places where they can stand."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Iterator
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


class Leak(NamedTuple):
    """`text` as a sender writes it; no byte of `secret`, which is in it, may be kept."""

    kind: str
    text: str
    secret: str


ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
URL64 = ALNUM + "-_"


def leaks(seed: int) -> list[Leak]:
    """One of each kind."""
    dice = random.Random(seed)

    def some(count: int, letters: str = ALNUM) -> str:
        # A digit early: many scanners ask for one, and no word has it.
        return dice.choice("23456789") + "".join(dice.choice(letters) for _ in range(count - 1))

    def plain(kind: str, secret: str, form: str = "{}") -> Leak:
        return Leak(kind, form.format(secret), secret)

    def part(count: int) -> str:
        return base64.urlsafe_b64encode(dice.randbytes(count)).decode().rstrip("=")

    def jws() -> str:
        return f"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI{some(20, URL64)}.{part(64)}"

    pem = "\n".join(part(48) for _ in range(4))
    found = [
        plain("compact JWS", jws()),
        plain("JWE", f"eyJhbGciOiJkaXIifQ..{part(12)}.{part(40)}.{part(16)}"),
        plain("bearer header", part(24), "Authorization: Bearer {}"),
        plain("bearer JWS", jws(), "bearer {}"),
        plain("basic header", base64.b64encode(f"admin:{some(12)}".encode()).decode(), "Basic {}"),
        plain("cookie header", some(24), "Cookie: theme=dark; session={}"),
        plain("set-cookie header", some(24), "Set-Cookie: sid={}; Path=/; HttpOnly"),
        plain("RSA key", pem, "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----"),
        plain("PKCS8 key", pem, "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----"),
        plain("EC key", pem, "-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----"),
        plain(
            "OpenSSH key", pem, "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----"
        ),
        plain(
            "PGP key", pem, "-----BEGIN PGP PRIVATE KEY BLOCK-----\n{}\n-----END PGP PRIVATE KEY BLOCK-----"
        ),
        plain("AWS key id", "AKIA" + some(16, string.ascii_uppercase + string.digits)),
        plain("AWS session key id", "ASIA" + some(16, string.ascii_uppercase + string.digits)),
        plain("AWS secret", some(40), "aws_secret_access_key={}"),
        plain("AWS signature", some(64, HEX), "https://b.s3.amazonaws.com/o?X-Amz-Signature={}"),
        plain("GitHub token", "ghp_" + some(36)),
        plain("GitHub app token", "ghs_" + some(36)),
        plain("GitHub fine-grained", "github_pat_" + some(60, ALNUM + "_")),
        plain("GitLab token", "glpat-" + some(20)),
        plain("Slack bot", f"xoxb-{some(12, string.digits)}-{some(24)}"),
        plain("Slack hook", f"T{some(8)}/B{some(8)}/{some(24)}", "https://hooks.slack.com/services/{}"),
        plain("Stripe live", "sk_live_" + some(24)),
        plain("Stripe hook", "whsec_" + some(32)),
        plain("OpenAI", "sk-proj-" + some(48)),
        plain("Anthropic", "sk-ant-api03-" + some(60, URL64)),
        plain("Google API key", "AIza" + some(35, URL64)),
        plain("Google OAuth", "ya29." + some(60, URL64)),
        plain("SendGrid", f"SG.{some(22)}.{some(43)}"),
        plain("npm", "npm_" + some(36)),
        plain("PyPI", "pypi-AgEIcHlwaS5vcmc" + some(60, URL64)),
        plain("DigitalOcean", "dop_v1_" + some(64, HEX)),
        plain("Vault", "hvs." + some(90, URL64)),
        plain("Hugging Face", "hf_" + some(34)),
        plain(
            "Azure account key",
            some(86) + "==",
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};",
        ),
        plain("Azure SAS", some(43) + "%3D", "https://a.blob.core.windows.net/c?sv=2024&sig={}"),
        plain("database URL", some(16), "postgresql://app:{}@db.internal:5432/shop"),
        plain("URL userinfo", some(16), "https://user:{}@git.example.com/r.git"),
        plain("redis URL", some(16), "redis://:{}@cache:6379/0"),
        plain("DSN password", some(16), "Server=db;User Id=app;Password={};Encrypt=true"),
        plain("query api_key", some(20), "/search?q=a&api_key={}&page=2"),
        plain("query access_token", some(30), "GET /cb?access_token={}&state=x"),
        plain("JSON body", some(14), '{{"user": "ann", "password": "{}"}}'),
        plain("x-api-key header", some(32, HEX), "x-api-key: {}"),
        plain("age key", "AGE-SECRET-KEY-1" + some(58, string.ascii_uppercase + string.digits)),
        plain("Telegram bot", f"{dice.randrange(10**9, 10**10)}:AA{some(33, URL64)}"),
        plain("Grafana", "glsa_" + some(32) + "_1a2b3c4d"),
        plain("Databricks", "dapi" + some(32, HEX)),
    ]
    assert len({leak.kind for leak in found}) >= 45
    return found


def _pair(key: str, text: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=text))


def planted(text: str, span_id: bytes) -> Iterator[tuple[str, ExportTraceServiceRequest]]:
    """The text at each of the places, each alone in a request."""

    def fresh():  # type: ignore[no-untyped-def]
        request = ExportTraceServiceRequest()
        part = request.resource_spans.add()
        part.resource.attributes.append(_pair("service.name", "orders"))
        scope = part.scope_spans.add()
        span = scope.spans.add(trace_id=b"\x01" * 16, span_id=span_id, name="GET /", start_time_unix_nano=1)
        return request, part, scope, span

    request, part, scope, span = fresh()
    span.attributes.append(_pair("note", text))
    yield "attribute value", request
    request, part, scope, span = fresh()
    span.attributes.append(_pair(text, "x"))
    yield "attribute key", request
    request, part, scope, span = fresh()
    outer = span.attributes.add(key="outer").value.kvlist_value.values.add(key="list")
    outer.value.array_value.values.add().kvlist_value.values.append(_pair("inner", text))
    yield "nested value", request
    request, part, scope, span = fresh()
    span.attributes.add(key="raw").value.bytes_value = text.encode()
    yield "bytes value", request
    request, part, scope, span = fresh()
    span.name = text
    yield "span name", request
    request, part, scope, span = fresh()
    span.events.add(name=text)
    yield "event name", request
    request, part, scope, span = fresh()
    span.events.add(name="log").attributes.append(_pair("exception.message", f"failed with {text}"))
    yield "event attribute", request
    request, part, scope, span = fresh()
    span.links.add(trace_id=b"\x02" * 16, span_id=b"\x02" * 8, trace_state=text).attributes.append(
        _pair("l", text)
    )
    yield "link", request
    request, part, scope, span = fresh()
    span.status.message = text
    yield "status message", request
    request, part, scope, span = fresh()
    part.resource.attributes.append(_pair("process.command_line", f"run --with {text}"))
    yield "resource attribute", request
    request, part, scope, span = fresh()
    scope.scope.name = text
    scope.scope.attributes.append(_pair("note", text))
    yield "scope", request


def forms(secret: str) -> list[bytes]:
    """The secret as bytes, and as others would write it: base64 at each of its three offsets, UTF-16."""
    raw = secret.encode()
    found = [raw, secret.encode("utf-16-le"), secret.encode("utf-16-be")]
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + raw)
        found.append(text[(offset * 4 + 2) // 3 + 1 : -4])  # without what its neighbours decide
    return [form for form in found if len(form) >= 8]
