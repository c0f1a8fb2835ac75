"""The README's table of rules, from the headers of their files: `make rules` writes it, a test compares it."""

from __future__ import annotations

from pathlib import Path

from bindtrace.queries.rules import RULES

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- rules: written by `make rules` -->\n", "<!-- end of rules -->"


def table() -> str:
    """A row a rule: name, severity, maturity, and what it means."""
    rows = [
        f"| `{rule.name}` | {rule.severity} | {rule.status.partition(',')[0]} | {_meaning(rule.title)} |"
        for rule in RULES.values()
    ]
    return "\n".join(["| rule | severity | maturity | what it means |", "|---|---|---|---|", *rows]) + "\n"


def _meaning(title: str) -> str:
    return title.partition(": ")[2].removesuffix(".")


def written(readme: str) -> str:
    """The README with the table as it should be."""
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
