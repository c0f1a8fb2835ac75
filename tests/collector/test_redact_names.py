"""Which keys announce a credential, which values look like one, and that the fast scan misses neither."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from leaking import leaks
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bindtrace.collector.otlp.admit import Admitted, admit
from bindtrace.collector.redact.markers import suspicious
from bindtrace.collector.redact.names import secret_name
from bindtrace.collector.redact.salt import load_salt
from bindtrace.collector.redact.walk import Redactor


def words(text: str) -> list[str]:
    return text.split()


TELLING = words("""
    authorization http.request.header.authorization http.request.header.proxy-authorization Authorization
    http.request.header.cookie http.response.header.set-cookie http.response.header.set_cookie cookies
    http.request.header.x-api-key api_key apiKey API_KEY x-apikey openai.api_key http.request.header.x_auth_token
    password db.password user.passwd pwd rpc.pwd passphrase ssh.passphrase newPassword
    secret client_secret clientSecret aws.secret_access_key stripe.secret_key webhook.signing_key
    token access_token refreshToken id_token auth.token session_token csrf_token x-vault-token jwt
    http.request.header.workload-identity-token http.request.header.workload-proof-token txn-token
    http.request.header.x-vercel-oidc-token x-vercel-trusted-oidc-idp-token x-vercel-protection-bypass
    credentials aws.credential private_key privateKey tls.private-key account_key AccountKey shared_access_key
    PHPSESSID jsessionid connect.sid encryption_key
""")
HARMLESS_KEYS = words("""
    gen_ai.usage.input_tokens gen_ai.usage.output_tokens llm.token_count gen_ai.token.type token.type token_count
    max_tokens next_page_token page_token continuation_token k8s.secret.name secret_name password_policy.min_length
    password.length public_key tls.client.certificate db.primary_key routing_key messaging.rabbitmq.routing_key
    partition_key key cache.key session.id enduser.id cookie.count has_password is_secret_rotated tokenizer
    authorization.scheme authorization_type secretary credentialing passwordless.enabled http.request.header.host
    api_key_id api.key.version access_key_id keyboard monkey
""")
HARMLESS_VALUES = [
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\n-----END CERTIFICATE-----",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGj2 ann@host",
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4iLCJleHAiOjE3MDAwMDAwMDB9",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "00f067aa0ba902b7",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "d9428888-122b-11e1-b85c-61cd3cbb3210",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "SELECT * FROM users WHERE password = ? AND token = $1",
    "UPDATE users SET password = :pw, token = %s",
    "invalid token: expected ';'",
    "unexpected token < in JSON at position 0",
    "token expired",
    "missing bearer token",
    "password: ***",
    "password=<redacted>",
    "api_key=[FILTERED]",
    "Authorization: [REDACTED]",
    "token=null",
    "secret=${SECRET}",
    "https://example.com/path?page=2&sort=asc",
    "https://example.com:8443/a@b",
    "http://[::1]:8080/x",
    "mailto:ann@example.com",
    "git@github.com:example/repo.git",
    "node_modules/@opentelemetry/api/build/index.js:12:3",
    "npm install @scope/pkg@1.2.3",
    "basic authentication failed",
    'Basic realm="x"',
    "digest mismatch",
    "cookie banner shown",
    'Bearer error="invalid_token"',
    "risk-assessment-of-the-whole-supply-chain",
    "task-1234567890",
    "disk-usage-percent-over-the-last-hour",
    "sk-SK",
    "skip_live_check",
    "AKIA",
    "ASIA pacific",
    "SG.",
    "the eyJ prefix",
    "pypi-mirror",
    "key-value",
    "glide-pat",
    "asia-southeast1-b",
    "xoxo",
    "GET /api/v1/thing7/482113",
    "10.0.3.17",
    "python-httpx/0.27.0",
    "svc7.shop.internal",
    "PutObject",
    "us-east-1",
    "arn:aws:iam::123456789012:role/service-role/orders",
    "projects/p/secrets/db-password/versions/3",
    "kv/data/token",
    "TokenBucket full",
    "passwordHash computed in 12 ms",
    "the secretary's cookies",
    "oauth2 token endpoint /oauth/token",
    "spiffe://shop/ns/default/sa/orders",
    "By=spiffe://shop/a;Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688;URI=spiffe://b",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    'W/"33a64df551425fcc55e4d42a148795d9f25f89d4"',
]


def request_with(key: str, value: str) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"\1" * 16, span_id=os.urandom(8))
    )
    span.attributes.add(key=key).value.string_value = value
    return request


def kept(key: str, value: str) -> str:
    """What admission leaves of the value."""
    admitted = admit(request_with(key, value).SerializeToString(), "protobuf")
    assert isinstance(admitted, Admitted)
    span = ExportTraceServiceRequest.FromString(admitted.body).resource_spans[0].scope_spans[0].spans[0]
    return span.attributes[0].value.string_value


@pytest.mark.parametrize("key", TELLING)
def test_a_telling_key_has_its_value_taken_out(key: str) -> None:
    assert secret_name(key) is not None
    assert kept(key, "correct-horse").startswith("[REDACTED:")


@pytest.mark.parametrize("key", HARMLESS_KEYS)
def test_a_key_that_only_sounds_like_it_keeps_its_value(key: str) -> None:
    assert kept(key, "correct-horse") == "correct-horse"


@pytest.mark.parametrize("value", HARMLESS_VALUES)
def test_a_look_alike_stays(value: str) -> None:
    assert kept("note", value) == value


@pytest.mark.parametrize(
    "value", ["", "***", "[Filtered]", "<hidden>", "none", "true", "[REDACTED:token:01020304]"]
)
def test_a_placeholder_under_a_telling_key_stays(value: str) -> None:
    assert kept("http.request.header.authorization", value) == value


def test_a_count_of_tokens_stays_a_number() -> None:
    request = request_with("a", "b")
    request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="token").value.int_value = 512
    body = request.SerializeToString()

    admitted = admit(body, "protobuf")

    assert isinstance(admitted, Admitted)
    assert admitted.body is body


def test_all_below_a_telling_key_is_taken_out() -> None:
    request = request_with("a", "b")
    nested = request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="credentials").value
    nested.kvlist_value.values.add(key="user").value.string_value = "ann-of-nowhere"
    nested.kvlist_value.values.add(key="parts").value.array_value.values.add().string_value = "part-one"

    admitted = admit(request.SerializeToString(), "protobuf")

    assert isinstance(admitted, Admitted)
    assert b"nowhere" not in admitted.body
    assert b"part-one" not in admitted.body
    assert admitted.redacted == {("credentials", "credential"): 2}


def test_only_the_userinfo_of_an_url_is_taken_out() -> None:
    assert kept("url.full", "https://ann:pa55word@shop.example/a?b=1").startswith(
        "https://[REDACTED:userinfo:"
    )
    assert kept("url.full", "https://ann:pa55word@shop.example/a?b=1").endswith("@shop.example/a?b=1")


@pytest.mark.parametrize("leak", leaks(1), ids=lambda leak: leak.kind)
def test_the_fast_scan_sees_every_kind(leak) -> None:  # type: ignore[no-untyped-def]
    assert suspicious(b"\x12\x07" + leak.text.encode() + b"\x1a\x02")


@pytest.mark.parametrize("key", TELLING)
def test_the_fast_scan_sees_every_telling_key(key: str) -> None:
    assert suspicious(request_with(key, "x").SerializeToString())


def test_the_same_credential_has_the_same_mark_and_another_salt_another() -> None:
    def mark(salt: bytes) -> str:
        request = request_with("password", "correct-horse")
        Redactor(salt).apply(request, request.SerializeToString())
        return str(request.resource_spans[0].scope_spans[0].spans[0].attributes[0].value.string_value)

    assert mark(b"1" * 16) == mark(b"1" * 16) != mark(b"2" * 16)


def test_a_salt_is_made_once_and_is_its_owner_s(tmp_path: Path) -> None:
    path = tmp_path / "traces.duckdb.salt"

    first, second = load_salt(path), load_salt(path)

    assert first == second
    assert path.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [path]


def test_a_credential_in_a_field_that_otlp_does_not_know_is_dropped_with_it() -> None:
    body = request_with("password", "correct-horse").SerializeToString() + b"\xfa\x07\x09" + b"pa55-word"

    admitted = admit(body, "protobuf")

    assert isinstance(admitted, Admitted)
    assert b"pa55-word" not in admitted.body
