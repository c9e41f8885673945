"""ASP531: Argo CD delivers a domain into its own namespace, from the one repository."""

from __future__ import annotations

from collections.abc import Iterator

from aspora import names
from aspora.checks.rule import Hit, Rule
from aspora.checks.world import World, labels_of
from aspora.problems import quoted
from aspora.render.objects import Object


def look(world: World) -> Iterator[Hit]:
    """An AppProject's sources, destinations and kinds; an Application's project."""
    for project in world.of("AppProject"):
        for what in _found(project):
            yield Hit(project, what)
    for application in world.of("Application"):
        if application["spec"].get("project", "default") == "default":
            yield Hit(application, "it belongs to the project that allows everything")


def _found(project: Object) -> Iterator[str]:
    spec = project["spec"]
    own = names.namespace(str(labels_of(project).get(names.DOMAIN_LABEL, "")))
    for destination in spec.get("destinations") or ():
        space = str(destination.get("namespace", ""))
        if space != own:
            yield f"it delivers into {quoted(space)}"
    if any("*" in source for source in spec.get("sourceRepos") or ()):
        yield "it delivers from any repository"
    if spec.get("clusterResourceWhitelist"):
        yield "it delivers objects of the whole cluster"
    kinds = spec.get("namespaceResourceWhitelist")
    if not kinds or any(item.get("kind") == "*" for item in kinds):
        yield "it delivers objects of any kind"


RULE = Rule(
    "ASP531",
    "Delivery beyond its domain",
    "Argo CD's own account may write everywhere. The project is the only thing that holds a"
    " domain's branch to its namespace.",
    "https://argo-cd.readthedocs.io/en/stable/user-guide/projects/",
    look,
    ("delivery",),
)
