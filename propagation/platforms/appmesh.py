"""AWS App Mesh (ended 2026-09-30): CloudFormation templates, and the API's JSON as `describe-…` prints it.

Its CRDs are Kubernetes' objects and come by kubernetes.py. A mesh's policy is what its nodes name as backends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from bindtrace.propagation.manifest import Manifest, Problem, revision_of
from bindtrace.propagation.platforms import parsing
from bindtrace.propagation.platforms.appmesh_resources import HANDLERS, Resource
from bindtrace.propagation.platforms.appmesh_templates import Template
from bindtrace.propagation.platforms.appmesh_tls import child
from bindtrace.propagation.platforms.nodes import Node, Reading

NAME: Final = "appmesh"
NAMES: Final = ()
READS: Final = "App Mesh's CloudFormation or `aws appmesh describe-…` output"

_CONTENT = re.compile(r"AWS::AppMesh::|\"meshName\"\s*:")
_SUFFIXES: Final = (".yaml", ".yml", ".json", ".template")
_API: Final = (
    "GatewayRoute",
    "Route",
    "VirtualNode",
    "VirtualService",
    "VirtualRouter",
    "VirtualGateway",
    "Mesh",
)
"""The kinds of the API; those first whose objects also name one of another kind."""

GROUP: Final = "appmesh.k8s.aws"


def claims(path: Path, text: str) -> bool:
    """A template with App Mesh's resources, or an object of a mesh."""
    return path.suffix in _SUFFIXES and bool(_CONTENT.search(text))


def read(path: Path, text: str) -> Manifest:
    """All that the file says, its problems included. Never raises for content."""
    file, revision = str(path), revision_of(text.encode())
    documents = parsing.parse_all(file, text)
    if isinstance(documents, Problem):
        return Manifest(file, NAME, "", revision, problems=(documents,))
    reading = Reading(file)
    meshes: dict[str, None] = {}
    for document in documents:
        root = Node(document, document.root, document.line_of(document.root))
        for kind, resource in (*_of_template(root), *_of_api(root)):
            HANDLERS[kind](reading, resource)
            meshes[resource.scope] = None
        reading.problems.extend(parsing.said_twice(file, document))
    scope = next(iter(meshes)) if len(meshes) == 1 else ""
    return reading.manifest(NAME, scope, revision)


def _of_template(root: Node) -> Iterator[tuple[str, Resource]]:
    if not isinstance(root["Resources"].value, dict):
        return
    template = Template(root.value)
    for logical, entry in root["Resources"].entries():
        kind = entry["Type"].text.removeprefix("AWS::AppMesh::")
        if kind in HANDLERS and isinstance(entry["Properties"].value, dict):
            template.settle(entry["Properties"].value)
            yield kind, _resource(kind, entry["Properties"], template.name_of(logical) or logical, entry.line)


def _of_api(node: Node) -> Iterator[tuple[str, Resource]]:
    """An object as `create-…` takes it, or under the name of its kind as `describe-…` prints it; or a list."""
    for element in node.elements():
        yield from _of_api(element)
    for kind in _API:
        wrapped = child(node, kind)
        if isinstance(wrapped["spec"].value, dict):
            yield from _of_api(wrapped)
        name = child(node, f"{kind}Name").text
        if name and isinstance(node["spec"].value, dict):
            yield kind, _resource(kind, node, name, node.line)
            return


def _resource(kind: str, whole: Node, name: str, line: int) -> Resource:
    mesh = name if kind == "Mesh" else child(whole, "meshName").text
    return Resource(name, name, mesh, None, child(whole, "spec"), whole, line)


def _of_kubernetes(kind: str, reading: Reading, thing: Node) -> None:
    """A CRD. Which mesh it is of, its namespace's labels decide, which are elsewhere."""
    name, namespace = thing.at("metadata", "name").text, thing.at("metadata", "namespace").text
    spec = thing["spec"]
    joint = {"VirtualNode": "_", "VirtualService": "."}.get(kind, "_")
    default = f"{name}{joint}{namespace}" if namespace else name
    mesh = spec["awsName"].text or name if kind == "Mesh" else ""
    own = Resource(name, spec["awsName"].text or default, mesh, namespace, spec, thing, thing.line)
    HANDLERS[kind](reading, own)


KINDS: Final[Mapping[tuple[str, str], Callable[[Reading, Node], None]]] = {
    (GROUP, kind): partial(_of_kubernetes, kind) for kind in HANDLERS if kind != "Route"
}
"""What kubernetes.py hands over."""
