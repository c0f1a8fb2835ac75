"""Whether the request of a call is one that a grant with methods or paths is for. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache


def fits(method: str | None, path: str | None, methods: Sequence[str], paths: Sequence[str]) -> bool | None:
    """Of an empty list nothing is asked. None: it depends on what the call does not show.

    `paths` are regular expressions over the whole path; one that Python cannot read fits nothing.
    """
    by_method = not methods or (None if method is None else method.upper() in methods)
    by_path = not paths or (None if path is None else any(_matches(pattern, path) for pattern in paths))
    if by_method is False or by_path is False:
        return False
    return True if by_method and by_path else None


def _matches(pattern: str, path: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is not None and compiled.fullmatch(path) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:
        return None
