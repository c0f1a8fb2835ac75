"""CloudFormation's functions in names, as far as a template alone says what they come to. No I/O.

A parameter without a default stays in the name as `${Parameter}`: what it comes to is unknown, and still the same
wherever the template says it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_VARIABLE: Final = re.compile(r"\$\{([^}!]+)\}")
_FUNCTIONS: Final = ("Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join")


def is_open(name: str) -> bool:
    """Whether a name depends on what the template does not say."""
    return "${" in name


class Template:
    """The names that a template gives: of its resources, and of parameters with a default."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._parameters = _objects(root.get("Parameters"))
        self.resources = _objects(root.get("Resources"))

    def settle(self, container: Any) -> None:
        """Puts texts in the place of functions, all the way down; what cannot be known stays as it is."""
        entries = container.items() if isinstance(container, dict) else enumerate(container)
        for key, value in list(entries):
            text = self._text(value) if isinstance(value, dict) else None
            if text is not None:
                container[key] = text
            elif isinstance(value, dict | list):
                self.settle(value)

    def name_of(self, logical: str) -> str | None:
        """The name that a resource has by its properties, else its logical one: AWS makes up the rest."""
        resource = self.resources.get(logical)
        if resource is None:
            return None
        kind = str(resource.get("Type", "")).rpartition("::")[2]
        named = _objects(resource).get("Properties", {}).get(f"{kind}Name")
        return (self._text(named) if named is not None else None) or logical

    def _text(self, value: Any) -> str | None:
        if isinstance(value, str):
            return value
        if not isinstance(value, dict) or len(value) != 1:
            return None
        ((function, said),) = value.items()
        if function not in _FUNCTIONS:
            return None
        if function == "Ref":
            return self._variable(said)
        if function == "Fn::GetAtt":
            return self._variable(said[0] if isinstance(said, list) and said else said)
        if function == "Fn::Join":
            return self._joined(said)
        text, own = (said[0], said[1]) if isinstance(said, list) and len(said) == 2 else (said, {})
        return self._substituted(text, own if isinstance(own, dict) else {})

    def _joined(self, said: Any) -> str | None:
        if not isinstance(said, list) or len(said) != 2 or not isinstance(said[1], list):
            return None
        parts = [self._text(part) for part in said[1]]
        return str(said[0]).join(part for part in parts if part is not None) if None not in parts else None

    def _substituted(self, text: Any, own: Mapping[str, Any]) -> str | None:
        if not isinstance(text, str):
            return None
        values = {
            name: self._text(own[name]) if name in own else self._variable(name)
            for name in _VARIABLE.findall(text)
        }
        if None in values.values():
            return None
        return _VARIABLE.sub(lambda found: str(values[found[1]]), text)

    def _variable(self, said: Any) -> str | None:
        if not isinstance(said, str):
            return None
        logical = said.partition(".")[0]
        if logical in self._parameters:
            default = self._parameters[logical].get("Default")
            return str(default) if isinstance(default, str | int) else f"${{{logical}}}"
        # Of AWS itself: AWS::Region and the like.
        return f"${{{said}}}" if said.startswith("AWS::") else self.name_of(logical)


def _objects(value: Any) -> dict[str, dict[str, Any]]:
    return (
        {key: entry for key, entry in value.items() if isinstance(entry, dict)}
        if isinstance(value, dict)
        else {}
    )
