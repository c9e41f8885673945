"""ASP523: a namespace takes its secrets from its own store, and a domain its own secrets."""

from __future__ import annotations

from collections.abc import Iterator

from aspora import names
from aspora.checks.rule import DECISIONS, Hit, Rule
from aspora.checks.world import World
from aspora.problems import quoted
from aspora.render.objects import Object


def look(world: World) -> Iterator[Hit]:
    """No store of the whole cluster, none of elsewhere, and no path of another domain."""
    for store in world.of("ClusterSecretStore", "ClusterExternalSecret"):
        yield Hit(store, "every namespace of the cluster could take secrets from it")
    stores = {
        (store["metadata"]["namespace"], store["metadata"]["name"])
        for store in world.of("SecretStore")
    }
    for secret in world.of("ExternalSecret"):
        space, wanted = secret["metadata"]["namespace"], secret["spec"].get("secretStoreRef") or {}
        if wanted.get("kind", "SecretStore") != "SecretStore":
            yield Hit(secret, f"it takes from a {quoted(wanted['kind'])}")
        elif (space, wanted.get("name")) not in stores:
            yield Hit(secret, f"no SecretStore {quoted(str(wanted.get('name')))} stands beside it")
        yield from _foreign(secret, world)


def _foreign(secret: Object, world: World) -> Iterator[Hit]:
    domain = world.domain(secret["metadata"]["namespace"])
    own = names.secret_path(world.settings.environment, domain, "")
    for key in _keys(secret["spec"]):
        if domain and not key.startswith(own):
            what = f"{quoted(key)}, which" if key else "whatever it finds, which"
            yield Hit(secret, f"it takes {what} does not begin with {own}")


def _keys(spec: Object) -> Iterator[str]:
    for item in spec.get("data") or ():
        yield item["remoteRef"]["key"]
    for item in spec.get("dataFrom") or ():
        # `find` takes whatever matches: no path at all is everything that the store may read.
        found = (item.get("extract") or {}).get("key") or (item.get("find") or {}).get("path")
        yield str(found or "")


RULE = Rule(
    "ASP523",
    "Secrets of somebody else",
    "External Secrets reads what its store's role may read; a store that several share is a way"
    " from one domain's pods to another's keys.",
    DECISIONS + "0009-secrets-by-name.md",
    look,
)
