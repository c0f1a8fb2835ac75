"""A manifest's text parsed by its form, or the one problem that says why it cannot be. Reads text, never a file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final, Literal

from bindtrace.propagation.manifest import Problem
from bindtrace.propagation.platforms import located, toml_lines, yaml_lines
from bindtrace.propagation.platforms.located import Document

Form = Literal["json", "jsonc", "toml"]

_TEMPLATE: Final = re.compile(r"\{\{-? *(?:\.|if |include |range |with |end |define |template |toYaml |\$)")
_FIXES: Final = {
    "json": "repair it at that place; JSON has no comments and no trailing commas.",
    "jsonc": "repair it at that place; names and texts need double quotes.",
    "toml": "repair it at that place; texts need quotes, tables [brackets].",
    "template": "it is a template: render it first, `helm template CHART | bindtrace manifest -`.",
    "yaml": "repair it at that place; lists and objects are told apart by their indentation, of spaces only.",
}


def parse(file: str, text: str, form: Form) -> Document | Problem:
    """The document with its lines, or a fatal problem with line and column. Never raises for content."""
    text = text.removeprefix("\ufeff")
    code, fix = f"BAD_{'JSON' if form != 'toml' else 'TOML'}", _FIXES[form]
    try:
        if form == "toml":
            return toml_lines.load(text)
        return located.load(text) if form == "json" else located.load_with_comments(text)
    except toml_lines.TomlError as wrong:
        message = f"this is not TOML: {wrong.message}."
        return Problem(file, wrong.line, code, message, fix, fatal=True, column=wrong.column)
    except json.JSONDecodeError as wrong:
        message = f"this is not JSON: {wrong.msg.replace('Expecting', 'expected', 1)}."
        return Problem(file, wrong.lineno, code, message, fix, fatal=True, column=wrong.colno)


def parse_all(file: str, text: str) -> tuple[Document, ...] | Problem:
    """The documents of a YAML text, or the one of a JSON text. Never raises for content; Refusal without PyYAML."""
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith(("{", "[")) and not isinstance(found := parse(file, text, "json"), Problem):
        return (found,)
    try:
        return yaml_lines.load_all(text)
    except yaml_lines.YamlError as wrong:
        message = f"this is not YAML: {wrong.message}."
        fix = _FIXES["template" if is_template(Path(file), text) else "yaml"]
        return Problem(file, wrong.line, "BAD_YAML", message, fix, fatal=True, column=wrong.column)


def is_template(file: Path, text: str) -> bool:
    """Whether it is a template of Helm, which is YAML only once it is rendered."""
    return file.suffix in (".yaml", ".yml") and bool(_TEMPLATE.search(text))


def said_twice(file: str, document: Document) -> tuple[Problem, ...]:
    """A warning for every key that one object has twice: parsers take the last in silence."""
    return tuple(
        Problem(
            file,
            line,
            "REPEATED_KEY",
            f"`{key}` is there twice; only the last one counts.",
            "remove one of them.",
            fatal=False,
        )
        for key, line in document.repeated
    )
