"""Which kinds an API server knows, and under which URL each one lives.

The aggregated discovery API answers with every group in one call for `/api` and one for `/apis`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ACCEPT = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
)


class Ref(NamedTuple):
    """The address of one object; `namespace` is empty for a cluster-scoped kind."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else self.short

    @property
    def short(self) -> str:
        """Kind and name, for a cluster-scoped object."""
        return f"{self.kind} {self.name}"


def ref_of(obj: Mapping[str, Any]) -> Ref:
    """The address of a manifest."""
    meta = obj.get("metadata") or {}
    return Ref(
        str(obj.get("apiVersion", "")),
        str(obj.get("kind", "")),
        str(meta.get("namespace") or ""),
        str(meta.get("name") or ""),
    )


@dataclass(frozen=True)
class Resource:
    """One kind in one version, as the server serves it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    def url(self, namespace: str = "", name: str = "") -> str:
        """The path of the collection, or of one object of it."""
        root = (
            f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        )
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


def resources(groups: Mapping[str, Any]) -> Iterator[Resource]:
    """Every resource of an APIGroupDiscoveryList, the preferred version of a group first."""
    for group in groups.get("items", ()):
        group_name = group.get("metadata", {}).get("name", "")
        for version in group.get("versions", ()):
            name = version["version"]
            api_version = f"{group_name}/{name}" if group_name else name
            for entry in version.get("resources", ()):
                kind = (entry.get("responseKind") or {}).get("kind", "")
                yield Resource(
                    api_version,
                    kind,
                    entry["resource"],
                    entry.get("scope") == "Namespaced",
                    frozenset(entry.get("verbs", ())),
                )


def resources_of_crd(crd: Mapping[str, Any]) -> Iterator[Resource]:
    """What an established CustomResourceDefinition adds, known before discovery tells of it."""
    spec = crd["spec"]
    names = spec["names"]
    verbs = frozenset(("create", "delete", "get", "list", "patch", "update", "watch"))
    for version in spec["versions"]:
        if version.get("served"):
            yield Resource(
                f"{spec['group']}/{version['name']}",
                names["kind"],
                names["plural"],
                spec["scope"] == "Namespaced",
                verbs,
            )
