"""Attributes in the lake are without what columns have, and are put back to the byte."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from sealed import Con

from bindtrace.queries import database as databases

text = st.text(alphabet=st.sampled_from('a~":,\\{}é\n'), max_size=6)


keys = st.sampled_from(
    ["url.path", "http.route", "http.response.status_code", 'x"url.path', "other", "url.path:~"]
)


@settings(deadline=None)  # the first example makes the database
@given(st.dictionaries(keys, text | st.integers(0, 600)), text, text, st.integers(0, 600))
def test_what_is_left_out_of_attributes_is_put_back_to_the_byte(
    attributes: dict[str, str | int], path: str, route: str, status: int
) -> None:
    own = _memory()
    written = json.dumps(attributes, separators=(",", ":"), ensure_ascii=False)
    columns = "'GET', $status, $route, $path, 'http', null, null, null, null, null, null"
    values = {"text": written, "status": status, "route": route, "path": path}

    (back,) = own.execute(f"select restored(elided($text, {columns}), {columns})", values).fetchone() or ("",)

    assert back == written


_connections: list[Con] = []


def _memory() -> Con:
    if not _connections:
        _connections.append(databases.open_database(None))
    return _connections[0]


def test_what_columns_have_is_left_out_of_attributes() -> None:
    columns = "'GET', 200, '/a/:id', '/a/1', 'http', 'svc', null, null, 'r1', null, null"
    written = '{"http.request.method":"GET","http.response.status_code":200,"url.path":"/a/1","x":1}'

    found = _memory().execute(f"select elided($1, {columns})", [written]).fetchall()

    assert found == [('{"http.request.method":~,"http.response.status_code":~,"url.path":~,"x":1}',)]
