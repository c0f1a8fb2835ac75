"""P-256 keys: public ones as JWK with their RFC 7638 thumbprint, private ones made and written as PEM. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity.compact import ALGORITHM
from bindtrace.propagation.identity.encoding import b64url, decode_b64url, sha256_b64url

PrivateKey = ec.EllipticCurvePrivateKey
_COORDINATE_BYTES: Final = 32
_REQUIRED: Final = {"kty": "EC", "crv": "P-256"}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A point on P-256, by its coordinates in base64url. Equal keys are equal values."""

    x: str
    y: str

    @property
    def thumbprint(self) -> str:
        """RFC 7638: SHA-256 over the required members in lexical order."""
        return sha256_b64url(f'{{"crv":"P-256","kty":"EC","x":"{self.x}","y":"{self.y}"}}'.encode("ascii"))

    def jwk(self) -> dict[str, str]:
        return {**_REQUIRED, "x": self.x, "y": self.y}

    def numbers(self) -> ec.EllipticCurvePublicKey:
        """Raises ValueError where the point is not on the curve."""
        x, y = (int.from_bytes(_bytes(part), "big") for part in (self.x, self.y))
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def _bytes(coordinate: str) -> bytes:
    decoded = decode_b64url(coordinate)
    if isinstance(decoded, Absent):
        raise ValueError("a coordinate is not base64url")
    return decoded


def generate() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public_of(key: PrivateKey | ec.EllipticCurvePublicKey) -> PublicKey:
    """Raises ValueError for a curve other than P-256."""
    public = key.public_key() if isinstance(key, PrivateKey) else key
    if not isinstance(public.curve, ec.SECP256R1):
        raise ValueError(f"the curve is {public.curve.name}, not P-256")
    numbers = public.public_numbers()
    return PublicKey(*(b64url(part.to_bytes(_COORDINATE_BYTES, "big")) for part in (numbers.x, numbers.y)))


def parse_jwk(jwk: Any, *, also: Mapping[str, str] | None = None) -> PublicKey | Absent:
    """A public P-256 key with no other members than kty, crv, x, y, `alg` and those of `also`, with those values.

    Private members and points off the curve are `Absent("jwk")` (RFC 7518 section 6.2).
    """
    allowed = {**_REQUIRED, "alg": ALGORITHM, **(also or {})}
    if not isinstance(jwk, dict) or not {*_REQUIRED, "x", "y"} <= jwk.keys() <= {*allowed, "x", "y"}:
        return Absent("jwk")
    if any(jwk[name] != allowed[name] for name in jwk if name not in ("x", "y")):
        return Absent("jwk")
    coordinates = (jwk["x"], jwk["y"])
    if not all(isinstance(part, str) and len(part) <= 64 for part in coordinates):
        return Absent("jwk")
    key = PublicKey(*coordinates)
    try:
        on_curve = public_of(key.numbers())
    except ValueError:
        return Absent("jwk")
    return key if key == on_curve else Absent("jwk")


def private_pem(key: PrivateKey) -> bytes:
    """PKCS #8 without a passphrase: what protects it is who may read the file."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_private_pem(content: bytes) -> PrivateKey:
    """Raises ValueError for anything but an unencrypted P-256 private key."""
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError as encrypted:
        raise ValueError("the key has a passphrase") from encrypted
    if not isinstance(key, PrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the key is not a P-256 private key")
    return key
