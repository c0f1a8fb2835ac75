"""What is not installed is not searched for at every value that is bound; what is installed stays as it is."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

LOOKED_FOR = """
import sys, duckdb
from bindtrace.queries.absent import note_absent

class Counts:
    seen = 0
    def find_spec(self, name, path=None, target=None):
        Counts.seen += name.split(".")[0] in ("pandas", "numpy")

def searches():
    Counts.seen = 0
    duckdb.connect().execute("select $1, $2", [7, "a"]).fetchall()
    return Counts.seen

sys.meta_path.insert(0, Counts())
before = searches()
note_absent()
print(before > 0, searches())
try:
    import pandas
except ModuleNotFoundError as error:
    print(error.name)
"""


@pytest.mark.skipif(find_spec("pandas") is not None, reason="pandas is installed")
def test_a_bound_value_costs_no_search_for_what_is_not_installed() -> None:
    done = subprocess.run([sys.executable, "-c", LOOKED_FOR], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True", "0", "pandas"]
