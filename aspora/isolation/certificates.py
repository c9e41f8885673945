"""Certificates: an identity is what a gateway goes by, so nobody may ask for somebody else's."""

from __future__ import annotations

from aspora.isolation.given import Given, Object, ref, space
from aspora.isolation.model import Crossing
from aspora.isolation.notes import Noted
from aspora.isolation.promises import ISSUERS

_SPIFFE = "spiffe://cluster.local/ns/"
AUTHORITY = ("cert-manager", "aspora-agents-root")
"""The one certificate that may sign others."""
_OTHER = ("literalSubject", "otherNames", "ipAddresses", "emailAddresses", "subject")
"""Names of other kinds, of which nothing is promised."""
GATEWAY = f"{_SPIFFE}aspora-platform/sa/aspora-gateway"
"""Whom agents let execute a skill."""


def hold(given: Given, noted: Noted) -> None:
    """Each certificate names its own namespace."""
    for obj in given.kind("Certificate"):
        here, spec, by = space(obj), obj["spec"], [ref(obj)]
        if spec.get("isCA") and (here, obj["metadata"]["name"]) != AUTHORITY:
            noted.note("rights", ref(obj), "may sign {}", ["certificates of anybody"], by)
        for uri in spec.get("uris") or ():
            if not uri.startswith(f"{_SPIFFE}{here}/sa/"):
                _foreign(given, obj, uri, noted)
        for name in _dns_names(obj):
            if here in given.domains and not _own(name, here):
                _foreign(given, obj, name, noted)
        if other := [field for field in _OTHER if spec.get(field)]:
            noted.note("rights", ref(obj), "is a certificate of more: {}", other, by)
    for obj in given.kind("ClusterIssuer"):
        kind, key = ISSUERS.get(obj["metadata"]["name"], ("", ""))
        spec = obj["spec"]
        if set(spec) != {kind} or (spec[kind] or {}).get("secretName", "") != key:
            what = "signs certificates by {}, which nothing promises"
            noted.note("rights", ref(obj), what, sorted(spec), [ref(obj)])
    _promised(given, noted)


def _promised(given: Given, noted: Noted) -> None:
    """Each skill's pods have an identity, and the gateway has one towards them."""
    held = {uri for obj in given.kind("Certificate") for uri in obj["spec"].get("uris") or ()}
    wanted = [f"{_SPIFFE}{here}/sa/{name}" for here, name, _ in given.running]
    for uri in (*wanted, GATEWAY):
        if uri not in held:
            noted.note("closed", uri, "has {}", ["no certificate"], ())


def _dns_names(obj: Object) -> list[str]:
    spec = obj["spec"]
    common = [spec["commonName"]] if "commonName" in spec else []
    return [*(spec.get("dnsNames") or ()), *common]


def _own(name: str, namespace: str) -> bool:
    ends = (f".{namespace}.svc", f".{namespace}.svc.cluster.local")
    return name.endswith(ends) and "*" not in name


def _foreign(given: Given, obj: Object, name: str, noted: Noted) -> None:
    here = given.domains.get(space(obj))
    there = given.domains.get(name.removeprefix(_SPIFFE).partition("/")[0])
    kind = "crossing" if here and there and here != there else "rights"
    if here and there and kind == "crossing":
        noted.crossings.add(
            Crossing(
                here,
                there,
                "network",
                ref(obj),
                name,
                f"{ref(obj)} is a certificate of {name}",
                declared=False,
                why="no domain has another's identity",
                by=(ref(obj),),
            )
        )
        noted.note("crossing", ref(obj), "is a certificate of {}", [name], [ref(obj)])
    else:
        noted.note(
            "rights", ref(obj), "is a certificate of {}, not of its namespace", [name], [ref(obj)]
        )
