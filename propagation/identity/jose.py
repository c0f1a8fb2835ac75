"""Signing and verifying compact JWS: the one file that calls the JOSE library, with one algorithm pinned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from bindtrace.propagation.identity.compact import ALGORITHM, MAX_TOKEN_BYTES
from bindtrace.propagation.identity.keys import PrivateKey, PublicKey

_ONLY: Final = (ALGORITHM,)


def verifies(text: str, key: PublicKey) -> bool:
    """Whether the signature of a compact JWS over its received bytes is by `key`. Raises nothing."""
    try:
        jws.deserialize_compact(text, _verifier(key), algorithms=_ONLY)
    except (JoseError, ValueError, TypeError, KeyError):
        return False
    return True


def sign(header: Mapping[str, str], claims: Mapping[str, Any], key: PrivateKey) -> str:
    """A compact JWS. Raises ValueError where it is longer than a receiver takes."""
    payload = json.dumps(claims, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    text = jws.serialize_compact({"alg": ALGORITHM, **header}, payload, _signer(key), algorithms=_ONLY)
    if len(text) > MAX_TOKEN_BYTES:
        raise ValueError(f"the token has {len(text)} bytes; receivers take {MAX_TOKEN_BYTES}")
    return text


@lru_cache(maxsize=1024)
def _verifier(key: PublicKey) -> ECKey:
    return ECKey.import_key(key.numbers())


@lru_cache(maxsize=64)
def _signer(key: PrivateKey) -> ECKey:
    return ECKey.import_key(key)
