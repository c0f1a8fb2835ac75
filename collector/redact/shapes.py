"""What a credential looks like in a text: a table of shapes, each of two signals at least. No I/O here.

A shape replaces the group `secret` where it has one, else all it matched: of an URL only its userinfo goes. Public
keys, certificates, tokens stripped of their signature, and placeholders stay: they open nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple


class Shape(NamedTuple):
    """`marker` is a regular expression for bytes that finds no less than `text`, for the scan of whole requests."""

    kind: str
    marker: str
    text: re.Pattern[str]
    any_case: bool


def _shape(kind: str, text: str, marker: str | None = None, *, any_case: bool = False) -> Shape:
    return Shape(kind, marker or text, re.compile(text, re.IGNORECASE if any_case else 0), any_case)


_B = r"(?<![A-Za-z0-9_])"
"""Not inside a word: base64 and identifiers hold every short prefix somewhere."""


def _prefixed(kind: str, prefix: str, rest: str) -> Shape:
    return _shape(kind, f"{_B}{prefix}{rest}", f"{prefix}{rest}")


_NAMES = (
    r"pass(?:word|wd|phrase|code)|pwd|(?:client|app|shared|consumer)?[-_. ]?secret(?:[-_. ]?(?:access[-_. ]?)?key)?"
    r"|(?:access|refresh|auth|id|session|security|csrf|xsrf|bearer|api|identity|proof)?[-_. ]?token|jwt"
    r"|(?:api|access|account|private|signing|shared[-_. ]?access)[-_. ]?key|credentials?|sig|signature"
    r"|jsessionid|phpsessid|connect\.sid|sessionid"
)
_NEW = r"(?<!\[REDACTED:)"
"""Not a mark of ours, whose kind is a name too."""
_PLACEHOLDER = (
    r"(?!\?|\$|%|:[a-z]|\{|<|\*|\.\.\.|\[|null\b|none\b|nil\b|true\b|false\b|undefined\b|x{3,}|n/a\b"
    r"|redacted)"
)

SHAPES: tuple[Shape, ...] = (
    _shape(
        "private-key",
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
        r"(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY",
    ),
    _shape("private-key", r"PuTTY-User-Key-File-\d[\s\S]*", r"PuTTY-User-Key-File-\d"),
    _shape("private-key", r"AGE-SECRET-KEY-1[A-Z0-9]{20,}"),
    # Compact JWS and JWE. Without the last part it is a token that opens nothing, and stays.
    _shape(
        "jws",
        r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,3}\.[A-Za-z0-9_-]{16,}",
        r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.",
    ),
    _prefixed("aws", "(?:AKIA|ASIA|ABIA|ACCA)", "[A-Z0-9]{16}"),
    _shape("aws", r"(?i:x-amz-(?:signature|security-token|credential)=)(?P<secret>[^&\s\"']+)",
           r"[xX]-[aA]mz-(?:[sS]ignature|[sS]ecurity-[tT]oken|[cC]redential)="),
    _prefixed("github", "(?:gh[pousr]_|github_pat_)", "[A-Za-z0-9_]{20,}"),
    _prefixed("gitlab", "gl(?:pat|dt|rt|ptt|cbt|soat|ft|imt|agent|oas)-", "[A-Za-z0-9_-]{16,}"),
    _prefixed("slack", "(?:xox[a-z](?:\\.xox[a-z])?-|xapp-)", "[A-Za-z0-9-]{10,}"),
    _shape("slack", r"hooks\.slack\.com/(?:services|workflows)/(?P<secret>[A-Za-z0-9/_-]{20,})"),
    _prefixed("stripe", "(?:[srp]k_(?:live|test)_|whsec_)", "[A-Za-z0-9+/=]{10,}"),
    _prefixed("openai", "sk-(?:proj-|ant-|or-|svcacct-|admin-|lf-)?", "[A-Za-z0-9_-]{20,}"),
    _prefixed("google", "AIza", "[A-Za-z0-9_-]{30,}"),
    _prefixed("google", "(?:ya29\\.|GOCSPX-|1//0)", "[A-Za-z0-9_-]{16,}"),
    _prefixed("sendgrid", "SG\\.", "[A-Za-z0-9_-]{16,}\\.[A-Za-z0-9_-]{16,}"),
    _prefixed("npm", "npm_", "[A-Za-z0-9]{30,}"),
    _prefixed("pypi", "pypi-", "[A-Za-z0-9_-]{30,}"),
    _prefixed("digitalocean", "do[opr]_v1_", "[a-f0-9]{32,}"),
    _prefixed("vault", "hv[sbr]\\.", "[A-Za-z0-9_-]{20,}"),
    _prefixed("shopify", "shp(?:at|ss|ca|pa)_", "[A-Fa-f0-9]{20,}"),
    _prefixed("grafana", "gl(?:sa|c)_", "[A-Za-z0-9+/=_]{20,}"),
    _prefixed("databricks", "dapi", "[a-f0-9]{32}"),
    _prefixed("huggingface", "hf_", "[A-Za-z0-9]{30,}"),
    _prefixed("atlassian", "AT[AC]TT3", "[A-Za-z0-9_=-]{20,}"),
    _prefixed("square", "(?:sq0[a-z]{3}-|EAAA)", "[A-Za-z0-9_-]{22,}"),
    _prefixed("mailgun", "key-", "[a-f0-9]{32}"),
    _prefixed("twilio", "SK", "[a-f0-9]{32}"),
    _prefixed("newrelic", "NR(?:AK|JS|II)-", "[A-Za-z0-9-]{20,}"),
    _prefixed("postman", "PMAK-", "[A-Za-z0-9-]{20,}"),
    _prefixed("linear", "lin_(?:api|oauth)_", "[A-Za-z0-9]{20,}"),
    _prefixed("vercel", "(?:vercel_blob_rw_|vc[pkiar]_)", "[A-Za-z0-9_]{20,}"),
    _prefixed("docker", "dckr_(?:pat|oat)_", "[A-Za-z0-9_-]{20,}"),
    _prefixed("rubygems", "rubygems_", "[a-f0-9]{40,}"),
    _prefixed("doppler", "dp\\.(?:pt|st|ct|sa|scim|audit)\\.", "[A-Za-z0-9_.-]{20,}"),
    _prefixed("sentry", "sntry[su]_", "[A-Za-z0-9+/=_-]{20,}"),
    _prefixed("supabase", "sb(?:p|_secret)_", "[A-Za-z0-9_-]{20,}"),
    _prefixed("planetscale", "pscale_(?:tkn|pw|oauth)_", "[A-Za-z0-9_.-]{20,}"),
    _prefixed("figma", "fig[duo]_", "[A-Za-z0-9_-]{20,}"),
    _prefixed("flyio", "(?:FlyV1 fm|fo1_|fm[12][ar]?_)", "[A-Za-z0-9_,+/=-]{20,}"),
    _prefixed("airtable", "pat[A-Za-z0-9]{14}\\.", "[a-f0-9]{32,}"),
    _prefixed("telegram", "[0-9]{8,10}:AA", "[A-Za-z0-9_-]{32,}"),
    _shape("discord", r"discord(?:app)?\.com/api/webhooks/\d+/(?P<secret>[A-Za-z0-9_-]{20,})"),
    _shape("terraform", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,}", r"\.atlasv1\."),
    _shape("azure", r"(?P<name>(?:Account|SharedAccess)Key=)(?P<secret>[A-Za-z0-9+/=]{20,})"),
    _shape("azure", r"[?&]sig=(?P<secret>[A-Za-z0-9%+/=_-]{20,})"),
    # user:password@ of an URL, and a token alone before the @; an empty password is none.
    # The markers count bytes, of which a letter may have four.
    _shape("userinfo", r"://(?P<secret>[^/\s:@?#\"'<>]{0,256}:[^/\s@?#\"'<>]{1,512})@",
           r"://[^/\s:@?#\"'<>]*:[^/\s@?#\"'<>]+@"),
    _shape("userinfo", r"https?://(?P<secret>[^/\s:@?#\"'<>.]{16,512})@",
           r"https?://[^/\s:@?#\"'<>.]{16,}@"),
    _shape(
        "bearer",
        r"\b(?:bearer|dpop)\s+(?P<secret>[A-Za-z0-9_~+/.-]{12,}=*)",
        r"(?:bearer|dpop)\s+[a-z0-9_~+/.-]{12,}",
        any_case=True,
    ),
    _shape(
        "basic",
        r"\bbasic\s+(?P<secret>(?=(?-i:[A-Za-z0-9+/]*[A-Z0-9=+/]))[A-Za-z0-9+/]{8,}={0,2})(?![A-Za-z0-9])",
        r"basic\s+[a-z0-9+/]{8,}",
        any_case=True,
    ),
    _shape(
        "digest",
        r"\bdigest\s+(?P<secret>username=.*response=\"?[0-9a-f]{16,}\"?)",
        r"digest\s+username=",
        any_case=True,
    ),
    _shape(
        "cookie",
        rf"{_NEW}\b(?:set-)?cookie[\"']?\s*[:=]\s*[\"']?(?P<secret>[^\s\"'=;]+=[^\r\n\"']+)",
        r"cookie[\"']?\s*[:=]",
        any_case=True,
    ),
    _shape(
        "authorization",
        rf"{_NEW}\bauthorization[\"']?\s*[:=]\s*+[\"']?+(?P<secret>{_PLACEHOLDER}[^\r\n\"',;]{{6,}})",
        r"authorization[\"']?\s*[:=]",
        any_case=True,
    ),
    _shape(
        "assignment",
        rf"{_NEW}(?<![a-z0-9])(?:[a-z0-9]+[-_.])*(?:{_NAMES})(?:=|\\?[\"']\s*(?:[:=]|=>)\s*|\s+=\s+)"
        rf"(?:\\?[\"'])?{_PLACEHOLDER}(?P<secret>[^\s\"'&;,\\<>()]{{3,}})",
        rf"(?:{_NAMES})(?:=|\\?[\"']\s*[:=]|\s+=\s+)",
        any_case=True,
    ),
    _shape(
        "assignment",
        rf"{_NEW}(?<![a-z0-9])(?:{_NAMES}):\s*{_PLACEHOLDER}(?P<secret>(?=[^\s\"'&;,]*[0-9])[^\s\"'&;,\\<>()]{{6,}})",
        rf"(?:{_NAMES}):",
        any_case=True,
    ),
)  # fmt: skip


def scrub_text(text: str, shapes: Iterable[Shape], replaced: Callable[[str, str], str]) -> str:
    """The text with every credential replaced by `replaced(kind, secret)`; the same object where there is none.

    `shapes` in the order of `SHAPES`, all that the text may have.
    """
    for shape in shapes:
        if shape.text.search(text):
            text = shape.text.sub(partial(_one, shape.kind, replaced), text)
    return text


def _one(kind: str, replaced: Callable[[str, str], str], found: re.Match[str]) -> str:
    group = "secret" if "secret" in found.re.groupindex else 0
    secret = found.group(group)
    if secret.startswith("[REDACTED:"):
        return found.group()
    start, end = (at - found.start() for at in found.span(group))
    return found.group()[:start] + replaced(kind, secret) + found.group()[end:]
