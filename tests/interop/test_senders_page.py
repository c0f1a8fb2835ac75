"""What docs/senders.md says, tried: Envoy's own settings with a real Envoy, options and names with what they name."""

from __future__ import annotations

import hmac
import json
import re
import shlex
import ssl
import urllib.request
from pathlib import Path

import httpx
import pytest
import yaml
from certificates import certificate
from click.testing import CliRunner
from interop.envoys import application, config, envoy
from interop.peers import peer
from interop.vercel_pair import MANIFEST, ROOT, page
from serving import collecting
from support import free_port, wait_for

from bindtrace.collector import instrumenting
from bindtrace.collector.doctor_command import doctor
from bindtrace.collector.serve_command import serve
from bindtrace.propagation.binding_header import Binding, serialize
from bindtrace.queries.database import open_database

TEXT = (ROOT / "docs" / "senders.md").read_text()
CHAIN = "5b8efff798038103d269b633813fc60c"


@pytest.mark.slow
def test_envoy_as_the_page_sets_it_says_who_the_caller_claims_to_be(tmp_path: Path) -> None:
    peer("envoy")
    with collecting(tmp_path / "t.duckdb", receivers=1) as collector, application() as app:
        port = free_port()
        settings = config("orders", port, ("app", app), collector.endpoints["grpc"], "grpc")
        resources = settings["static_resources"]
        manager = resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        manager["tracing"] = yaml.safe_load(page("Envoy", "yaml"))["tracing"]
        resources["clusters"][1]["name"] = resources["clusters"][1]["load_assignment"]["cluster_name"] = (
            "bindtrace"
        )
        claim = serialize(Binding("storefront", CHAIN, callee="orders", hop=1))
        with envoy(peer("envoy"), tmp_path, settings):
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Service-Binding": claim})
            urllib.request.urlopen(request, timeout=10).close()
            wait_for(
                lambda: carrying(collector.endpoints["api"]), seconds=20, what="doctor to see the header"
            )
        assert collector.stop() == 0

    con = open_database(tmp_path / "t.duckdb")
    found = con.execute(
        "select claimed_caller, claimed_callee, claimed_chain, claimed_hop from spans "
        "where kind = 2 and claimed_caller is not null"
    ).fetchall()
    con.close()
    assert found == [("storefront", "orders", CHAIN, 1)]


def carrying(api: str) -> bool:
    """Doctor sees the header from all services."""
    done = CliRunner().invoke(doctor, ["--url", f"http://{api}", "-f", "json"])
    lines = [one for one in json.loads(done.output) if one["question"] == "do calls carry the binding header"]
    return [line["evidence"] for line in lines] == ["yes, from 1 service"]


DRAINED = {
    "resourceSpans": [
        {
            "resource": {
                "attributes": [
                    {"key": "service.name", "value": {"stringValue": "vercel-function"}},
                    {"key": "vercel.projectId", "value": {"stringValue": "prj_shop"}},
                    {"key": "vercel.deploymentId", "value": {"stringValue": "dpl_1"}},
                ]
            },
            "scopeSpans": [
                {
                    "scope": {"name": "vercel"},
                    "spans": [
                        {
                            "traceId": "7bba9f33312b3dbb8b2c2c62bb7abe2d", "spanId": "086e83747d0e381e",
                            "name": "GET /api/users", "kind": "server",
                            "startTimeUnixNano": "1694723400000000000", "endTimeUnixNano": "1694723400150000000",
                        }
                    ],
                }
            ],
        }
    ]
}  # fmt: skip
"""The shape of Vercel's own sample (vercel.com/docs/drains/reference/traces), with the attributes that it adds."""


@pytest.mark.slow
def test_the_drain_is_taken_with_its_signature_and_refused_without(tmp_path: Path) -> None:
    certificate("cert", certificate("ca", None, tmp_path), tmp_path)
    (tmp_path / "drain.secret").write_text("s3cret-of-the-drain\n")
    (line,) = re.findall(r"^bindtrace serve --manifest vercel.json --http .*$", TEXT, re.MULTILINE)
    files = {"cert.pem": "cert.pem", "key.pem": "cert.key", "drain.secret": "drain.secret"}
    words = [str(tmp_path / files[word]) if word in files else word for word in shlex.split(line)[2:]]
    options = [
        str(MANIFEST) if word == "vercel.json" else word.replace("0.0.0.0:4318", "127.0.0.1:0")
        for word in words
    ]
    body = json.dumps(DRAINED).encode()
    signature = hmac.new(b"s3cret-of-the-drain", body, "sha1").hexdigest()
    with collecting(tmp_path / "t.duckdb", *options, receivers=1) as collector:
        url = f"https://{collector.endpoints['http']}/v1/traces"
        trusted = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        with httpx.Client(verify=trusted, headers={"content-type": "application/json"}) as vercel:
            unsigned = vercel.post(url, content=body)
            forged = vercel.post(url, content=body, headers={"x-vercel-signature": "0" * 40})
            signed = vercel.post(url, content=body, headers={"x-vercel-signature": signature})
        assert collector.stop() == 0

    assert (unsigned.status_code, forged.status_code, signed.status_code) == (403, 403, 200)
    con = open_database(tmp_path / "t.duckdb")
    found = con.execute(
        "select service, scope, deployment, kind from spans join resources using (resource_id)"
    ).fetchall()
    con.close()
    assert found == [("vercel-function", "prj_shop", "dpl_1", 2)]


def test_every_option_of_serve_that_the_page_names_exists() -> None:
    commands = [shlex.split(line) for line in re.findall(r"^bindtrace serve .*$", TEXT, re.MULTILINE)]
    named = {word for words in commands for word in words if word.startswith("--")}

    assert len(named) > 4
    assert named <= {option for parameter in serve.params for option in parameter.opts}


@pytest.mark.parametrize("title", ["Envoy", "Istio", "An OpenTelemetry Collector in front"])
def test_yaml_of_the_page_is_yaml(title: str) -> None:
    assert list(yaml.safe_load_all(page(title, "yaml")))


def test_json_of_the_page_is_what_wrangler_reads() -> None:
    traces = json.loads(page("Cloudflare Workers", "jsonc"))["observability"]["traces"]

    assert set(traces) == {"enabled", "destinations", "head_sampling_rate", "persist"}


@pytest.mark.parametrize(
    "lines", [instrumenting.PYTHON, instrumenting.ENVOY, instrumenting.NODE, instrumenting.JAVA]
)
def test_the_lines_that_doctor_names_are_those_of_the_page(lines: str) -> None:
    telling = [line for line in lines.splitlines() if "service-binding" in line or "Binding" in line]

    assert telling
    for line in telling:
        said = re.sub(r"^export |^# |\s+#.*$", "", line.strip())
        assert all(word in TEXT for word in re.findall(r"[\w.\-']*[Bb]inding[\w.\-']*|OTEL_\w+", said)), line


def test_istio_lines_are_those_of_the_page() -> None:
    said = yaml.safe_load(instrumenting.ISTIO.partition("\n")[2])[0]["customTags"]
    documents = list(yaml.safe_load_all(page("Istio", "yaml")))

    assert documents[1]["spec"]["tracing"][0]["customTags"] == said
