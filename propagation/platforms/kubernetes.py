"""Kubernetes manifests, those of Istio, Linkerd and App Mesh too: objects of any kind, in any number of documents.

Also what `kubectl get … -o yaml` (or `-o json`) prints: lists of objects. Kinds that say nothing about who may call
whom are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from bindtrace.propagation.manifest import Manifest, Problem, revision_of
from bindtrace.propagation.platforms import appmesh, istio, kubernetes_exposure, linkerd, parsing
from bindtrace.propagation.platforms.nodes import Node, Reading, texts_of
from bindtrace.propagation.workloads import Workload

NAME: Final = "kubernetes"
NAMES: Final = ()
READS: Final = "Istio's, Linkerd's and App Mesh's objects (YAML or JSON of Kubernetes)"

_CONTENT = re.compile(r"^[\s\-{,\"']*apiVersion[\"']?\s*:", re.MULTILINE)
_KIND = re.compile(r"^[\s\-{,\"']*kind[\"']?\s*:|\"kind\"\s*:", re.MULTILINE)
SUFFIXES: Final = (".yaml", ".yml", ".json")

_TEMPLATES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("argoproj.io", "Rollout"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("", "Pod"): (),
}
"""Where each kind of workload keeps its pods' labels and account."""

Kind = tuple[str, str]
_READERS: Final[tuple[Mapping[Kind, Callable[[Reading, Node], None]], ...]] = (
    istio.KINDS,
    linkerd.KINDS,
    appmesh.KINDS,
    kubernetes_exposure.KINDS,
)
"""An object is read by each that knows its kind."""


def claims(path: Path, text: str) -> bool:
    """A YAML or JSON file with `apiVersion` and `kind`."""
    return path.suffix in SUFFIXES and bool(_CONTENT.search(text)) and bool(_KIND.search(text))


def read(path: Path, text: str) -> Manifest:
    """All that the file says, its problems included. Never raises for content."""
    file, revision = str(path), revision_of(text.encode())
    reading = Reading(file)
    found: set[Kind] = set()
    documents = parsing.parse_all(file, text)
    if isinstance(documents, Problem):
        return Manifest(file, NAME, "", revision, problems=(documents,))
    for document in documents:
        for thing in _objects(Node(document, document.root, document.line_of(document.root))):
            found.add(_read_object(reading, thing))
        reading.problems.extend(parsing.said_twice(file, document))
    return reading.manifest(_platform(found), "", revision)


def _objects(node: Node) -> Iterator[Node]:
    """The objects of a document: itself, or those of a list of any kind."""
    if isinstance(node.value, list) or node["kind"].text.endswith("List"):
        for element in (node if isinstance(node.value, list) else node["items"]).elements():
            yield from _objects(element)
    elif isinstance(node.value, dict):
        yield node


def _read_object(reading: Reading, thing: Node) -> Kind:
    kind = (thing["apiVersion"].text.rpartition("/")[0], thing["kind"].text)
    if kind in _TEMPLATES:
        template = thing.at(*_TEMPLATES[kind])
        _read_workload(reading, thing, template)
        linkerd.workload_default(reading, thing, template)
    for readers in _READERS:
        if kind in readers:
            readers[kind](reading, thing)
    return kind


def _read_workload(reading: Reading, thing: Node, template: Node) -> None:
    meta, pods = thing["metadata"], template["spec"]
    labels = texts_of(template.at("metadata", "labels"))
    ports = {
        (port["name"].text, int(port["containerPort"].text))
        for container in pods["containers"].elements()
        for port in container["ports"].elements()
        if port["containerPort"].text.isdecimal()
    }
    hashed = ("pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name")
    reading.workloads.append(
        Workload(
            meta["name"].text,
            meta["namespace"].text,
            tuple(sorted((key, value) for key, value in labels.items() if key not in hashed)),
            pods["serviceAccountName"].text or pods["serviceAccount"].text or "default",
            tuple(sorted(ports)),
            reading.file,
            thing.line,
        )
    )


def _platform(found: set[Kind]) -> str:
    """The mesh, where the file speaks of one only."""
    meshes = {_MESHES[group] for group, _ in found if group in _MESHES}
    return meshes.pop() if len(meshes) == 1 else NAME


_MESHES: Final = {
    "security.istio.io": istio.NAME,
    "policy.linkerd.io": linkerd.NAME,
    appmesh.GROUP: appmesh.NAME,
}
