"""T5: spellings of the token's header as raw lines, what servers make of them, and the table in docs/servers.md."""

from __future__ import annotations

import json
import re
import socket
import ssl
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "servers.md"
SPELLINGS = {
    "as it is": b"Workload-Identity-Token: %s",
    "another case": b"WORKLOAD-identity-TOKEN: %s",
    "underscores": b"workload_identity_token: %s",
    "dots": b"workload.identity.token: %s",
    "two spellings": b"Workload-Identity-Token: %s\r\nWorkload_Identity_Token: forged",
    "two lines": b"Workload-Identity-Token: %s\r\nWorkload-Identity-Token: %s",
    "a comma": b"Workload-Identity-Token: %s, %s",
    "folded": b"Workload-Identity-Token: a\r\n %s",
    "in `Connection`": b"Workload-Identity-Token: %s\r\nConnection: workload-identity-token",
    "space before the colon": b"Workload-Identity-Token : %s",
    "tab in the name": b"Workload-Identity-\tToken: %s",
    "NUL behind it": b"Workload-Identity-Token: %s\0",
    "5,000 bytes longer": b"Workload-Identity-Token: %s" + b"A" * 5000,
    "not there": b"X: %s",
}
TAKEN = ("as it is", "another case")
"""HTTP's names have no case: these two are one header."""


def request(spelling: str, token: str, proof: str) -> bytes:
    """The whole request."""
    line = SPELLINGS[spelling].replace(b"%s", token.encode())
    close = b"" if spelling == "in `Connection`" else b"\r\nConnection: close"
    lines = [
        b"GET /stock/7 HTTP/1.1",
        b"Host: inventory" + close,
        line,
        b"Workload-Proof-Token: " + proof.encode(),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def answered(port: int, raw: bytes, tls: ssl.SSLContext | None = None) -> str:
    """`ok`, the guard's reason, or the status of a server that did not ask the guard; `closed` without an answer.

    Over TLS it is a proxy: then the status alone, as its answer names no more than the class of a reason.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        connection = tls.wrap_socket(plain) if tls else plain
        connection.sendall(raw)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
                if _whole(answer):
                    break
        except (TimeoutError, ConnectionError):
            pass
    if not answer:
        return "closed"
    status = answer.split(b" ", 2)[1].decode()
    if status == "200":
        return "ok"
    found = None if tls else re.search(rb"\{.*\}", answer, re.DOTALL)
    return str(json.loads(found[0])["reason"]) if found and b"urn:bindtrace:refused" in answer else status


def _whole(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    return bool(separator) and length is not None and len(body) >= int(length[1])


def documented() -> dict[str, dict[str, str]]:
    """By server, by spelling, what the page says."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]
    servers = rows[0][1:]
    return {
        server: {row[0]: row[place].strip("`") for row in rows[1:]} for place, server in enumerate(servers, 1)
    }
