"""What every dashboard shares: variables, links between them, and a grid that panels are laid into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from bindtrace.queries.grafana.panels import PROMETHEUS

TAG: Final = "bindtrace"
_WIDE: Final = 24
VARIABLES: Final = {
    "environment": ("Environment", "label_values(bindtrace_calls_total, environment)"),
    "service": ("Service", "label_values(bindtrace_calls_total, callee)"),
    "binding": ("Binding", "label_values(bindtrace_binding_calls_total, binding)"),
    "severity": ("Severity", "label_values(bindtrace_findings, severity)"),
}


class Placed(NamedTuple):
    """A panel and its size in the grid of 24 columns."""

    panel: Builder[models.Panel]
    width: int
    height: int


def framed(
    uid: str, title: str, about: str, variables: Sequence[str], content: Sequence[Placed]
) -> models.Dashboard:
    """The dashboard, its panels laid out from left to right and from top to bottom."""
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(about)
        .tags([TAG])
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("bindtrace")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
    )
    for name in variables:
        built = built.with_variable(_variable(name))
    made = built.build()
    for variable in made.templating.list_val or [] if made.templating else []:
        # only an interval variable has these; @grafana/schema refuses them elsewhere
        variable.auto = variable.auto_min = variable.auto_count = None
    made.panels = _laid(content)
    return made


def _variable(name: str) -> dashboard.QueryVariable:
    label, query = VARIABLES[name]
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(text="All", value="$__all", selected=True))
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )


def _laid(content: Sequence[Placed]) -> list[models.Panel | models.RowPanel]:
    x = y = row_height = 0
    laid: list[models.Panel | models.RowPanel] = []
    for number, one in enumerate(content, 1):
        if x + one.width > _WIDE:
            x, y, row_height = 0, y + row_height, 0
        panel = one.panel.build()
        panel.id_val = number
        panel.grid_pos = models.GridPos(h=one.height, w=one.width, x=x, y=y)
        laid.append(panel)
        x, row_height = x + one.width, max(row_height, one.height)
    return laid
