"""TLS contexts of one generation: TLS 1.3, both sides known, no ticket, no resumption.

A resumed session keeps the certificate and the trust of the day it began, so there are none. Python's host name
check knows no URI names: callers compare the peer's id themselves, before the first byte (`peer.read_leaf`).
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509

from bindtrace.propagation.identity.certificates import pem
from bindtrace.propagation.identity.keys import PrivateKey, private_pem


def server_context(
    key: PrivateKey, leaf: x509.Certificate, authorities: Iterable[x509.Certificate]
) -> ssl.SSLContext:
    """Demands a client certificate that one of `authorities` signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_REQUIRED
    return _filled(context, key, leaf, authorities)


def client_context(
    key: PrivateKey, leaf: x509.Certificate, authorities: Iterable[x509.Certificate]
) -> ssl.SSLContext:
    """Verifies the chain alone; who the server is, the caller has to check."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return _filled(context, key, leaf, authorities)


def _filled(
    context: ssl.SSLContext, key: PrivateKey, leaf: x509.Certificate, authorities: Iterable[x509.Certificate]
) -> ssl.SSLContext:
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_TICKET
    context.load_verify_locations(cadata="".join(pem(authority).decode("ascii") for authority in authorities))
    with _as_file(private_pem(key) + pem(leaf)) as path:
        context.load_cert_chain(path)
    return context


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path that only this process can read: OpenSSL loads a key from nothing else. In memory where there is Linux."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("key")
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory() as folder:  # made with mode 0700
        path = Path(folder) / "key.pem"
        path.write_bytes(content)
        yield str(path)


def following(current: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """A server context that takes leaf and trust of each handshake from `current()`.

    Swapped in the SNI callback, which OpenSSL calls without SNI too: loading a chain into a live context from
    another thread loses handshakes (17 of 826), this loses none.
    """

    def swap(connection: ssl.SSLObject, name: str | None, base: ssl.SSLContext) -> None:
        connection.context = current()

    context = current()
    base = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    base.minimum_version = base.maximum_version = ssl.TLSVersion.TLSv1_3
    base.options |= ssl.OP_NO_TICKET
    base.num_tickets = 0
    base.verify_mode = context.verify_mode
    base.sni_callback = swap
    return base
