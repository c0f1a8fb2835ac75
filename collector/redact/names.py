"""Which attribute keys name a credential: by their last words, never by a part of a word. No I/O here.

`http.request.header.x-auth-token` and `apiKey` do; `gen_ai.usage.input_tokens`, `token.type` and `k8s.secret.name`
do not.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_ONE = {
    "authorization": "authorization",
    "authorisation": "authorization",
    "cookie": "cookie",
    "cookies": "cookie",
    "setcookie": "cookie",
    "password": "password",
    "passwords": "password",
    "passwd": "password",
    "pwd": "password",
    "passphrase": "password",
    "passcode": "password",
    "secret": "secret",
    "secrets": "secret",
    "clientsecret": "secret",
    "credential": "credential",
    "credentials": "credential",
    "token": "token",
    "jwt": "token",
    "accesstoken": "token",
    "refreshtoken": "token",
    "authtoken": "token",
    "idtoken": "token",
    "apikey": "api-key",
    "apitoken": "api-key",
    "accesskey": "api-key",
    "secretkey": "secret",
    "privatekey": "private-key",
    "jsessionid": "cookie",
    "phpsessid": "cookie",
}
_KEYS = {
    "api": "api-key",
    "access": "api-key",
    "account": "api-key",
    "subscription": "api-key",
    "private": "private-key",
    "secret": "secret",
    "signing": "secret",
    "encryption": "secret",
    "shared": "secret",
    "master": "secret",
    "functions": "api-key",
    "auth": "api-key",
}
"""What `key` is after these words. After others (`public`, `primary`, `foreign`, `routing`) it is no secret."""
_PAIRS = {("protection", "bypass"): "token", ("session", "cookie"): "cookie", ("connect", "sid"): "cookie"}
_PLACES = frozenset(
    (
        "page",
        "next",
        "continuation",
        "sync",
        "cancellation",
        "cancel",
        "pagination",
        "start",
        "resume",
        "lexer",
    )
)
"""Tokens that say a place and open nothing."""

_SWITCHES = frozenset(("has", "is", "needs", "requires", "missing", "without", "no"))


@lru_cache(maxsize=8192)
def secret_name(key: str) -> str | None:
    """The kind of credential that the key announces, or None. At most the last 256 characters are looked at."""
    words = [word.lower() for word in _WORDS.findall(key[-256:])]
    while words and words[-1].isdigit():
        words.pop()
    if not words:
        return None
    last = words[-1]
    before = words[-2] if len(words) > 1 else ""
    if last == "key":
        return _KEYS.get(before)
    if before in _SWITCHES or (last == "token" and before in _PLACES):
        return None
    return _PAIRS.get((before, last)) or _ONE.get(last)
