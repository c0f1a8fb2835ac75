"""The Grafana files: what the builders make is what stands in `dashboards/`, and every panel is whole."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from click.testing import CliRunner
from grafana_asking import substituted

from bindtrace.queries.dashboards_command import dashboards
from bindtrace.queries.grafana.alerts import ALERTS, RECORDINGS
from bindtrace.queries.grafana.boards import BOARDS
from bindtrace.queries.grafana.files import files
from bindtrace.queries.grafana.frame import VARIABLES
from bindtrace.queries.prometheus.evaluate import selector_of
from bindtrace.queries.prometheus.metrics import METRICS, SERIES
from bindtrace.queries.rules import RULES
from bindtrace.queries.traceql.parse import parse

TREE = Path(__file__).parents[2] / "dashboards"
WRITTEN = files()
PANELS = [
    pytest.param(name, panel, id=f"{name}-{panel['title']}")
    for name in BOARDS
    for panel in json.loads(WRITTEN[f"{name}.json"])["panels"]
]


def test_the_tree_holds_what_the_builders_make() -> None:
    """`bindtrace dashboards export dashboards --force` brings the tree up to date."""
    assert {
        str(path.relative_to(TREE)): path.read_text("utf-8")
        for path in TREE.rglob("*")
        if path.suffix in (".json", ".yaml") and path.name != "compose.yaml"
    } == WRITTEN


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_every_panel_has_a_description_a_query_and_a_link_to_the_next_question(
    board: str, panel: dict[str, Any]
) -> None:
    assert panel["description"].endswith((".", "?"))
    assert panel["targets"]
    if panel["type"] != "stat" or board != "collector":
        assert panel["links"], "a panel leads on"
        uids = {json.loads(text)["uid"] for name, text in WRITTEN.items() if name.endswith(".json")}
        for link in panel["links"]:
            assert re.fullmatch(r"/d/([a-z-]+)\?.*", link["url"])[1] in uids  # type: ignore[index]


def _selectors(expr: str) -> list[Any]:
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        for name in ("expr", "lhs", "rhs", "param"):
            child = getattr(node, name, None)
            if child is not None:
                visit(child)
        for child in getattr(node, "args", ()) or ():
            visit(child)

    visit(promql_parser.parse(expr))
    return found


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_every_metric_and_label_that_a_panel_names_exists(board: str, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        if "expr" in target:
            for selector in _selectors(substituted(target["expr"])):
                (known,) = selector_of(selector)
                labels = {label for label, _, _ in known.matchers}
                assert labels <= set(known.metric.labels), f"{board}: {target['expr']}"
        elif target["queryType"] == "traceql":
            parse(target["query"])


def test_every_variable_asks_for_a_label_that_its_metric_has() -> None:
    for _, query in VARIABLES.values():
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", query).groups()  # type: ignore[union-attr]
        assert label in SERIES[metric][0].labels


@pytest.mark.parametrize("expr", [one.expr for one in (*ALERTS, *RECORDINGS)])
def test_every_rule_names_metrics_labels_and_rules_that_exist(expr: str) -> None:
    for selector in _selectors(expr):
        (known,) = selector_of(selector)
        for label, _, value in known.matchers:
            assert label in known.metric.labels
            assert label != "rule" or value in RULES, value


def test_provisioning_is_yaml_that_names_our_sources_and_keeps_the_token_secure() -> None:
    sources = yaml.safe_load(WRITTEN["provisioning/datasources/bindtrace.yaml"])["datasources"]

    assert {source["type"] for source in sources} == {"tempo", "prometheus", "jaeger"}
    for source in sources:
        assert source["secureJsonData"] == {"httpHeaderValue1": "Bearer $BINDTRACE_API_TOKEN"}
        assert source["jsonData"]["httpHeaderName1"] == "Authorization"
    used = set(re.findall(r'"uid": "(bindtrace-(?:tempo|prometheus|jaeger))"', "".join(WRITTEN.values())))
    assert used <= {source["uid"] for source in sources}


def test_metric_names_are_unique() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_export_writes_them_and_never_over_anything_unasked(tmp_path: Path) -> None:
    runner = CliRunner()

    first = runner.invoke(dashboards, ["export", str(tmp_path / "out")])
    second = runner.invoke(dashboards, ["export", str(tmp_path / "out")])
    forced = runner.invoke(dashboards, ["export", str(tmp_path / "out"), "--force"])

    assert (first.exit_code, second.exit_code, forced.exit_code) == (0, 2, 0)
    assert "is there already" in second.output
    assert (tmp_path / "out" / "overview.json").read_text("utf-8") == WRITTEN["overview.json"]
