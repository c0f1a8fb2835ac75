"""The panels that the dashboards are made of: each with a description, a query, and a link to the next question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, tempo, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.tempo import SearchTableType

PROMETHEUS: Final = models.DataSourceRef(type_val="prometheus", uid="bindtrace-prometheus")
TEMPO: Final = models.DataSourceRef(type_val="tempo", uid="bindtrace-tempo")

# Okabe and Ito, as in every other picture of ours
COLOURS: Final = {
    "allowed": "#0072b2", "unknown": "#767676", "denied": "#d55e00",
    "binding": "#009e73", "private": "#56b4e9", "public": "#b87900",
    "critical": "#b3261e", "high": "#d55e00", "medium": "#b87900", "low": "#56b4e9", "info": "#767676",
    "proven": "#009e73", "verified": "#56b4e9", "claimed": "#b87900", "inferred": "#767676", "contradicted": "#b3261e",
}  # fmt: skip

Panel = Builder[models.Panel]


def prom(expr: str, legend: str = "", ref: str = "A") -> prometheus.Dataquery:
    """A range query."""
    return prometheus.Dataquery().datasource(PROMETHEUS).expr(expr).legend_format(legend).ref_id(ref).range()


def now(expr: str, ref: str = "A") -> prometheus.Dataquery:
    """An instant query, as a table."""
    query = prometheus.Dataquery().datasource(PROMETHEUS).expr(expr).ref_id(ref).instant()
    return query.format(PromQueryFormat.TABLE)


def traces(query: str, limit: int = 20, ref: str = "A") -> tempo.TempoQuery:
    """A TraceQL search, listed by trace."""
    asked = tempo.TempoQuery().datasource(TEMPO).query_type("traceql").query(query).ref_id(ref)
    return asked.limit(limit).table_type(SearchTableType.TRACES)


def lines(
    title: str,
    about: str,
    queries: Sequence[prometheus.Dataquery],
    unit: str = "short",
    *,
    stacked: bool = False,
) -> timeseries.Panel:
    """Series over time; those named as a word of ours have its colour."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .fill_opacity(25 if stacked else 8)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    for word, colour in COLOURS.items():
        panel = panel.override_by_name(word, [_colour(colour)])
    for query in queries:
        panel = panel.with_target(query)
    return panel


def figure(
    title: str, about: str, expr: str, unit: str = "short", bad_from: float | None = None
) -> stat.Panel:
    """One number of now; red from `bad_from` on."""
    steps = [models.Threshold(value=None, color="text")]
    if bad_from is not None:
        steps.append(models.Threshold(value=bad_from, color=COLOURS["denied"]))
    query = prometheus.Dataquery().datasource(PROMETHEUS).expr(expr).ref_id("A").instant()
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(PROMETHEUS)
        .unit(unit)
        .no_value("0")
        .thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(query)
    )


def rows(
    title: str,
    about: str,
    queries: Sequence[prometheus.Dataquery],
    names: Mapping[str, str],
    units: Mapping[str, str] | None = None,
) -> table.Panel:
    """A table of instant queries, joined by their labels. `names`: field to heading, in the order of the columns."""
    panel = table.Panel().title(title).description(about).datasource(PROMETHEUS)
    for query in queries:
        panel = panel.with_target(query)
    panel = panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    panel = panel.with_transformation(
        models.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {"Time": True, "__name__": True},
                "indexByName": {field: place for place, field in enumerate(names)},
                "renameByName": {field: heading for field, heading in names.items() if field != heading},
            },
        )
    )
    for heading, unit in (units or {}).items():
        panel = panel.override_by_name(heading, [models.DynamicConfigValue(id_val="unit", value=unit)])
    return panel


def linked(panel: table.Panel, heading: str, title: str, url: str) -> table.Panel:
    """The cells of a column lead to `url`."""
    link = [{"title": title, "url": url, "targetBlank": False}]
    return panel.override_by_name(heading, [models.DynamicConfigValue(id_val="links", value=link)])


def next_question(title: str, uid: str) -> dashboard.DashboardLink:
    """A link in a panel's corner to another dashboard, which keeps time and variables."""
    return (
        dashboard.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .url(f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}")
    )


def trace_url(trace_field: str) -> str:
    """Grafana's trace view for the trace id in a field of the row."""
    query = f'{{"queryType":"traceql","query":"${{__data.fields.{trace_field}}}"}}'
    left = '{"datasource":"bindtrace-tempo","queries":[%s],"range":{"from":"now-7d","to":"now"}}' % query  # noqa: UP031
    return f"/explore?left={left}"


def _colour(value: str) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": value})
