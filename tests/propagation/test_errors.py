"""A refusal says what is wrong and the way out, wherever it was raised."""

from __future__ import annotations

import pickle

from bindtrace.propagation.errors import Refusal


class OfAKind(Refusal):
    """Kinds are told apart by who catches them."""


def test_a_refusal_that_another_process_raised_is_the_same_here() -> None:
    sent = OfAKind("no database at /x", fix="name one with --db")

    came = pickle.loads(pickle.dumps(sent))

    assert (type(came), str(came)) == (OfAKind, str(sent))
