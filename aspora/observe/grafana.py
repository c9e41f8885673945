"""Dashboards as ConfigMaps that Grafana's sidecar reads, written with grafana-foundation-sdk.

The SDK is imported when a dashboard is written: its modules take longer to load than a small
repository takes to render.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aspora import names
from aspora.models import Domain
from aspora.observe import owners_dashboards as dashboards
from aspora.observe.alerts import runbook_url
from aspora.observe.boards import DOMAIN_VARIABLE, Board, Panel, State
from aspora.observe.records import BUSY
from aspora.render.objects import Object, named
from aspora.stack import StackSettings

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard

DATASOURCE = "prometheus"
"""The uid that kube-prometheus-stack gives its own Prometheus (grafana.sidecar.datasources.uid)."""
SIDECAR_LABEL = {"grafana_dashboard": "1"}
FOLDER = {"grafana_folder": "Aspora"}
ANY_DOMAIN = "ANY_DOMAIN"
"""Stands for a domain's name: no domain can have it."""
TRACES = "langfuse"
"""The host, in the stack's private zone, where traces are looked at."""


def config_maps(domains: Sequence[Domain], settings: StackSettings) -> Iterator[Object]:
    """A ConfigMap for each dashboard."""
    where = settings.gitops.repo_url, traces_url(settings)
    for board in dashboards.COMMON:
        yield _config_map(board.uid, dashboard_json(board, *where), names.platform_labels())
    for domain in domains:
        labels = names.platform_labels() | {names.DOMAIN_LABEL: domain.name}
        uid = dashboards.domain_uid(domain.name)
        yield _config_map(uid, domain_json(domain.name, *where), labels)


def _config_map(uid: str, text: str, labels: dict[str, str]) -> Object:
    space = names.OBSERVABILITY_NAMESPACE
    head = named("v1", "ConfigMap", f"dashboard-{uid}", space, labels | SIDECAR_LABEL, FOLDER)
    return head | {"data": {f"{uid}.json": text}}


def domain_json(name: str, repository: str, traces: str) -> str:
    """A domain's dashboard. The SDK takes longer for one than all else of a domain takes to
    render: it writes one for a domain that cannot be, and each has its own name put in."""
    text = dashboard_json(dashboards.domain(ANY_DOMAIN), repository, traces)
    uid = dashboards.domain_uid(ANY_DOMAIN)
    return text.replace(uid, dashboards.domain_uid(name)).replace(ANY_DOMAIN, name)


def traces_url(settings: StackSettings) -> str:
    """Where traces are looked at; empty where the stack has no zone of its own."""
    return f"https://{TRACES}.{settings.aws.dns.private_zone}" if settings.aws else ""


@lru_cache(maxsize=64)
def dashboard_json(board: Board, repository: str, traces: str) -> str:
    """The dashboard as Grafana reads it; the same bytes for the same board."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    built = _dashboard(board, repository, traces).build()
    return json.dumps(built, cls=JSONEncoder, sort_keys=True, separators=(",", ":"))


def _dashboard(board: Board, repository: str, traces: str) -> Dashboard:
    from grafana_foundation_sdk.builders import dashboard as build
    from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

    made = (
        build.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(["aspora"])
        .readonly()
        .timezone("utc")
        .time(board.since, "now")
        .refresh(board.refresh)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(_others())
    )
    if board.choose:
        made.with_variable(_domain_variable())
    for number, panel in enumerate(board.panels, start=1):
        made.with_panel(_panel(panel, number, repository, traces))
    return made


def _others() -> Any:
    """A list of the other dashboards, at the top."""
    from grafana_foundation_sdk.builders.dashboard import DashboardLink
    from grafana_foundation_sdk.models.dashboard import DashboardLinkType

    link = DashboardLink("Aspora").type(DashboardLinkType.DASHBOARDS).tags(["aspora"])
    return link.as_dropdown(as_dropdown=True).keep_time(keep_time=True)


def _source() -> Any:
    from grafana_foundation_sdk.models.dashboard import DataSourceRef

    return DataSourceRef(type_val="prometheus", uid=DATASOURCE)


def _domain_variable() -> Any:
    from grafana_foundation_sdk.builders.dashboard import QueryVariable
    from grafana_foundation_sdk.models.dashboard import VariableRefresh

    return (
        QueryVariable(DOMAIN_VARIABLE)
        .label("Domain")
        .datasource(_source())
        .query(f"label_values({BUSY.name}, domain)")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(include_all=True)
        .all_value(".+")
        .multi(multi=True)
    )


def _panel(panel: Panel, number: int, repository: str, traces: str) -> Any:
    made = _shape(panel)
    made.id(number).title(panel.title).description(panel.about or panel.title)
    made.unit(panel.unit).datasource(_source()).height(panel.height).span(panel.width)
    made.thresholds(_thresholds(panel)).color_scheme(_colours(panel))
    made.targets([_target(panel, index) for index in range(len(panel.queries))])
    if panel.states:
        made.mappings([_mapping(state) for state in panel.states])
    if panel.most is not None:
        made.min(0).max(panel.most)
    if links := _links(panel, repository, traces):
        made.links(links)
    return made


def _shape(panel: Panel) -> Any:
    from grafana_foundation_sdk.builders import bargauge, common, stat, table, timeseries
    from grafana_foundation_sdk.models.common import BarGaugeDisplayMode, VizOrientation

    if panel.shape == "lines":
        return timeseries.Panel()
    if panel.shape == "table":
        return table.Panel()
    latest = common.ReduceDataOptions().calcs(["lastNotNull"])
    if panel.shape == "stat":
        return stat.Panel().reduce_options(latest)
    bars = bargauge.Panel().reduce_options(latest).orientation(VizOrientation.HORIZONTAL)
    return bars.display_mode(BarGaugeDisplayMode.GRADIENT)


def _target(panel: Panel, index: int) -> Any:
    from grafana_foundation_sdk.builders.prometheus import Dataquery
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

    query = panel.queries[index]
    target = Dataquery().expr(query.expr).ref_id(chr(ord("A") + index)).datasource(_source())
    if query.legend:
        target.legend_format(query.legend)
    if panel.shape == "lines":
        return target.range()
    if panel.shape == "table":
        target.format(PromQueryFormat.TABLE)
    return target.instant()


def _thresholds(panel: Panel) -> Any:
    """Grafana wants the first step without a value: it is everything below the second."""
    from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
    from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode

    steps = panel.steps or ((0, "green"),)
    written = [Threshold(None if n == 0 else value, c) for n, (value, c) in enumerate(steps)]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(written)


def _colours(panel: Panel) -> Any:
    from grafana_foundation_sdk.builders.dashboard import FieldColor
    from grafana_foundation_sdk.models.dashboard import FieldColorModeId

    lines = panel.shape == "lines"
    mode = FieldColorModeId.PALETTE_CLASSIC if lines else FieldColorModeId.THRESHOLDS
    return FieldColor().mode(mode)


def _mapping(state: State) -> Any:
    """A word in place of the values of a range."""
    from grafana_foundation_sdk.models import dashboard as model

    return model.RangeMap(
        options=model.DashboardRangeMapOptions(
            from_val=state.low,
            to=state.high,
            result=model.ValueMappingResult(text=state.word, color=state.colour),
        )
    )


def _links(panel: Panel, repository: str, traces: str) -> list[Any]:
    from grafana_foundation_sdk.builders.dashboard import DashboardLink
    from grafana_foundation_sdk.models.dashboard import DashboardLinkType

    wanted = []
    if panel.runbook:
        wanted.append((f"Runbook: {panel.runbook}", runbook_url(repository, panel.runbook)))
    if panel.traces and traces:
        wanted.append(("Traces", traces))
    return [
        DashboardLink(title).type(DashboardLinkType.LINK).url(url).target_blank(target_blank=True)
        for title, url in wanted
    ]
