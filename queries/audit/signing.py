"""Signs the digests of an audit, and checks that signature: a JWS by Ed25519 or ES256. Owns the key file's mode.

The algorithm is that of the key, never that of a header (RFC 8725 3.1). Signature code is joserfc's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from bindtrace.propagation.errors import Refusal

MAX_KEY_BYTES: Final = 65_536
ALGORITHMS: Final = {OKPKey: "Ed25519", ECKey: "ES256"}

Key = OKPKey | ECKey


def open_key(path: Path, *, make: bool) -> Key:
    """The private key of a PEM file; with `make` a new Ed25519 one (0600) where there is none. Raises `Refusal`."""
    if make and not path.exists():
        _make(path)
    try:
        mode = path.stat().st_mode
        content = path.read_bytes() if path.stat().st_size <= MAX_KEY_BYTES else b""
    except OSError as error:
        raise Refusal(
            f"cannot read the key {path}: {error.strerror}", fix="name a readable file with --key"
        ) from None
    if mode & 0o077:
        raise Refusal(f"the key {path} may be read by others", fix=f"chmod 600 {path}, or make a new one")
    try:
        private = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError):
        raise _unfit(path) from None
    return _key(path, private, content)


def open_public_key(path: Path) -> Key:
    """The public key of a PEM file. Raises `Refusal`."""
    try:
        content = path.read_bytes() if path.stat().st_size <= MAX_KEY_BYTES else b""
    except OSError as error:
        raise Refusal(f"cannot read the key {path}: {error.strerror}", fix="name a readable file") from None
    try:
        return _key(path, serialization.load_pem_public_key(content), content)
    except ValueError:
        raise _unfit(path) from None


def sign(payload: bytes, key: Key) -> str:
    """A compact JWS with the payload in it; `kid` is the key's RFC 7638 thumbprint."""
    algorithm = ALGORITHMS[type(key)]
    return jws.serialize_compact(
        {"alg": algorithm, "kid": key.thumbprint(), "typ": "bindtrace-audit"},
        payload,
        key,
        algorithms=[algorithm],
    )


def is_signed(payload: bytes, signature: str, key: Key) -> bool:
    """Whether the JWS is of this payload and by this key."""
    try:
        signed = jws.deserialize_compact(signature, key, algorithms=[ALGORITHMS[type(key)]])
    except (JoseError, ValueError):
        return False
    return signed.payload == payload


def public_pem(key: Key) -> bytes:
    return key.as_pem(private=False)


def _make(path: Path) -> None:
    content = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        raise Refusal(
            f"cannot make the key {path}: {error.strerror}", fix="name another place with --key"
        ) from None


def _key(path: Path, key: object, content: bytes) -> Key:
    if isinstance(key, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
        return OKPKey.import_key(content)
    if (
        isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey)
        and key.curve.name == "secp256r1"
    ):
        return ECKey.import_key(content)
    raise _unfit(path)


def _unfit(path: Path) -> Refusal:
    return Refusal(
        f"{path} is no Ed25519 or P-256 key in PEM without a passphrase",
        fix="make one: openssl genpkey -algorithm ed25519 -out audit-key.pem",
    )
