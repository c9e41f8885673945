"""External Secrets: which named secret each namespace takes, through which store.

A secret's name says whose it is: `aspora/<stack>/<owner>/…`. What a store may read at all is AWS's
to say, and `cloud` looks at it; here it is what the objects ask for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from aspora.isolation.given import Given, Object, ref, space
from aspora.isolation.model import Access, Crossing
from aspora.isolation.notes import Noted
from aspora.isolation.patterns import fits
from aspora.isolation.promises import PLATFORM, PLATFORM_READS

_OPEN = "*"


def owner_of(secret: str) -> str:
    """Whose a named secret is; "*" when the name does not say."""
    parts = secret.split("/")
    whole = len(parts) > 3 and parts[0] == "aspora" and all(parts[1:3])
    whole = whole and not any(mark in secret for mark in "*?")
    return parts[2] if whole else _OPEN


def hold(given: Given, noted: Noted) -> None:
    """Look at every store and everything that is read through one."""
    stores = {(space(obj), obj["metadata"]["name"]): obj for obj in given.kind("SecretStore")}
    for store in stores.values():
        _store(store, noted)
    keys = {(space(obj), obj["spec"].get("secretName")) for obj in given.kind("Certificate")}
    for obj in given.kind("ExternalSecret"):
        _target(obj, keys, noted)
        account = _through(obj, stores, noted)
        for name in _names(obj, noted):
            _read(given, obj, account, name, noted)
    _promised(given, noted)


def _promised(given: Given, noted: Noted) -> None:
    """Each skill's pods get their key for the model gateway, and where the databases are."""
    held = {
        (space(obj), entry["remoteRef"]["key"])
        for obj in given.kind("ExternalSecret")
        for entry in obj["spec"].get("data") or ()
    }
    for here, name, skill in given.running:
        below = f"aspora/{given.stack}/{skill.id.partition('/')[0]}"
        wanted = [f"{below}/model-gateway/{name}"]
        if skill.database and given.aws:
            wanted.append(f"{below}/database")
        for key in wanted:
            if (here, key) not in held:
                noted.note("closed", f"{here}/{name}", "gets no {}, which it needs", [key], ())


def account_of(store: Object) -> str:
    """The ServiceAccount, `namespace/name`, whose role a store takes; empty when it takes none."""
    aws = (store["spec"].get("provider") or {}).get("aws") or {}
    found = ((aws.get("auth") or {}).get("jwt") or {}).get("serviceAccountRef") or {}
    return f"{found.get('namespace', space(store))}/{found['name']}" if "name" in found else ""


def _store(store: Object, noted: Noted) -> None:
    """Of its own namespace's ServiceAccount, for Secrets Manager, taking no further role."""
    provider = store["spec"].get("provider") or {}
    aws = provider.get("aws") or {}
    name, by = ref(store), [ref(store)]
    if set(provider) != {"aws"} or aws.get("service") != "SecretsManager":
        noted.note("unread", name, "reads from {}", sorted(provider) or ["nowhere"], by)
    account = account_of(store)
    if not account:
        noted.note(
            "rights",
            name,
            "takes {}, not the rights of a ServiceAccount",
            ["the operator's rights"],
            by,
        )
    elif not account.startswith(f"{space(store)}/"):
        noted.note("rights", name, "takes the rights of {}, of another namespace", [account], by)
    for key in ("role", "additionalRoles"):
        if key in aws:
            noted.note("rights", name, "takes the further role {}", [str(aws[key])], by)


def _target(obj: Object, keys: Collection[tuple[str, str]], noted: Noted) -> None:
    """What is read becomes a plain Secret: no other object, no token of an account, and no
    certificate's key."""
    target = obj["spec"].get("target") or {}
    name = target.get("name", obj["metadata"]["name"])
    if (space(obj), name) in keys:
        what = "takes the place of the certificate in {}"
        noted.note("rights", ref(obj), what, [name], [ref(obj)])
    template = target.get("template") or {}
    kind = template.get("type", "Opaque")
    odd = [kind] if kind != "Opaque" else []
    odd += [name for name in ("manifest", "templateFrom") if name in target or name in template]
    if odd:
        what = "becomes {}, which the proof does not read"
        noted.note("unread", ref(obj), what, odd, [ref(obj)])


def _through(obj: Object, stores: dict[tuple[str, str], Object], noted: Noted) -> str:
    wanted = obj["spec"].get("secretStoreRef") or {}
    if wanted.get("kind", "SecretStore") != "SecretStore":
        noted.note(
            "rights",
            ref(obj),
            "reads through {}, of the whole cluster",
            [str(wanted["kind"])],
            [ref(obj)],
        )
        return ""
    store = stores.get((space(obj), wanted.get("name", "")))
    if store is None:
        noted.note(
            "closed",
            ref(obj),
            "reads through {}, which is not there",
            [str(wanted.get("name"))],
            [ref(obj)],
        )
        return ""
    return account_of(store)


def _names(obj: Object, noted: Noted) -> Iterator[str]:
    spec = obj["spec"]
    for entry in spec.get("data") or ():
        yield entry["remoteRef"]["key"]
    for entry in spec.get("dataFrom") or ():
        if "extract" in entry:
            yield entry["extract"]["key"]
        if "find" in entry:
            yield f"{(entry['find'].get('path') or '').rstrip('/')}/*"
    entries = (*(spec.get("data") or ()), *(spec.get("dataFrom") or ()))
    if any("sourceRef" in entry for entry in entries):
        noted.note(
            "unread", ref(obj), "reads from {}", ["another source than its store"], [ref(obj)]
        )


def _read(given: Given, obj: Object, account: str, name: str, noted: Noted) -> None:
    here, owner, by = given.domains.get(space(obj)), owner_of(name), ref(obj)
    noted.accesses.add(
        Access(
            f"ExternalSecret {space(obj)}",
            "secret",
            ("read",),
            f"secret {name}",
            here,
            owner,
            (by,),
        )
    )
    if owner == (here or PLATFORM):
        return
    if here is None:
        allowed = PLATFORM_READS.get(account, ())
        if not any(fits(one, f"secret {name}") for one in allowed):
            noted.note("rights", by, "reads {}, which nothing promises", [name], [by])
        return
    noted.note("crossing", by, "reads {}, of another owner", [name], [by])
    for other in given.declared_by_name if owner == _OPEN else (owner,):
        if other != here and other in given.declared_by_name:
            noted.crossings.add(
                Crossing(
                    here,
                    other,
                    "secret",
                    by,
                    name,
                    f"{by} reads {name}",
                    declared=False,
                    why="no domain reads another's secrets",
                    by=(by,),
                )
            )
