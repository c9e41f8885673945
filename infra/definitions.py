"""CustomResourceDefinitions: a folder given, the projects' own published files, or open schemas.

A published file is kept in the cache after its first download. None of their checksums could be
looked up yet (`Bundle.sha256` is null), so prod refuses them (decision 16).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from aspora.crds import (
    CUSTOM_KINDS,
    OPERATOR_CRDS,
    Bundle,
    Object,
    open_crd,
    operators_names,
    owned,
    pick,
    pick_named,
)
from aspora.errors import EnvironmentFailure

CONNECT_SECONDS = 3.0
READ_SECONDS = 30.0
OFF = ("off", "0", "false", "no")
Note = Callable[[str], None]
Pick = Callable[[Iterable[Object]], dict[str, Object]]


@dataclass(frozen=True)
class Definitions:
    """The definitions in the order of CUSTOM_KINDS, and where each came from.

    Behind them come those that operators need besides, where they were asked for; `missing` are the
    names of those of them that are not to be had.
    """

    documents: tuple[Object, ...]
    open_kinds: tuple[str, ...]
    source: str
    missing: tuple[str, ...] = ()

    @property
    def strict(self) -> bool:
        """Whether every one of them checks its fields."""
        return not self.open_kinds


def find(
    env: Mapping[str, str], cache: Path, note: Note, *, operators: bool = False
) -> Definitions:
    """The strictest definitions to be had here; with `operators` also of kinds we do not write.

    `ASPORA_CRDS` names a folder of JSON or YAML files; `ASPORA_DOWNLOADS=off` keeps this from
    asking the Internet. Raises EnvironmentFailure when ASPORA_CRDS is set and holds none.
    """
    folder = env.get("ASPORA_CRDS")
    take = _with_operators if operators else pick
    if folder:
        picked = _from_folder(Path(folder), take)
        source = "the folder ASPORA_CRDS names"
    else:
        wanted = _bundles(operators=operators)
        download = env.get("ASPORA_DOWNLOADS", "").lower() not in OFF
        picked = _published(cache, note, wanted, take, download=download)
        source = "the projects' published files"
    open_kinds = tuple(kind.kind for kind in CUSTOM_KINDS if kind.name not in picked)
    documents = tuple(picked.get(kind.name) or owned(open_crd(kind)) for kind in CUSTOM_KINDS)
    if len(open_kinds) == len(CUSTOM_KINDS):
        source = "open schemas: the fields of custom resources are not checked"
    others = operators_names() if operators else ()
    found = tuple(picked[name] for name in others if name in picked)
    missing = tuple(name for name in others if name not in picked)
    return Definitions((*documents, *found), open_kinds, source, missing)


def _with_operators(documents: Iterable[Object]) -> dict[str, Object]:
    listed = list(documents)
    return pick(listed) | pick_named(listed, operators_names())


def _bundles(*, operators: bool) -> list[Bundle]:
    """Each file once."""
    more = [bundle for bundle, _ in OPERATOR_CRDS] if operators else []
    return list(dict.fromkeys([*(kind.bundle for kind in CUSTOM_KINDS), *more]))


def require_verified(environment: str) -> None:
    """Prod takes only files whose checksum stands in `aspora/crds.py`."""
    bundles = _bundles(operators=True)
    missing = sorted({bundle.project for bundle in bundles if not bundle.sha256})
    if environment == "prod" and missing:
        raise EnvironmentFailure(
            "prod takes no CustomResourceDefinitions without a checksum: " + ", ".join(missing),
            hint="look the SHA-256 up at the project's release and set it in aspora/crds.py",
        )


def _from_folder(folder: Path, take: Pick) -> dict[str, Object]:
    if not folder.is_dir():
        raise EnvironmentFailure(
            f"ASPORA_CRDS names {folder}, which is no folder", hint="correct it, or unset it"
        )
    picked: dict[str, Object] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".yaml", ".yml"):
            try:
                picked |= take(_documents(path.read_bytes(), is_json=path.suffix == ".json"))
            except (OSError, ValueError) as error:
                raise EnvironmentFailure(f"{path} cannot be read: {error}") from None
    if not picked:
        raise EnvironmentFailure(
            f"ASPORA_CRDS names {folder}, which holds no definition of ours",
            hint="one CustomResourceDefinition a file, as JSON or YAML",
        )
    return picked


def _published(
    cache: Path, note: Note, bundles: list[Bundle], take: Pick, *, download: bool
) -> dict[str, Object]:
    """Cached files first; the rest is asked for, all hosts at once, and given up on quickly."""
    missing = [bundle for bundle in bundles if not _cached(cache, bundle).is_file()]
    if missing and download:
        _fetch(missing, cache, note)
    picked: dict[str, Object] = {}
    for bundle in bundles:
        path = _cached(cache, bundle)
        if path.is_file():
            picked |= take(_documents(path.read_bytes(), is_json=False))
    return picked


def _fetch(missing: list[Bundle], cache: Path, note: Note) -> None:
    """Download all of them at once; one line for each reason why some are not to be had."""
    failures: dict[str, list[str]] = {}
    with ThreadPoolExecutor(len(missing)) as threads:
        reasons = threads.map(lambda bundle: _download(bundle, cache), missing)
        for bundle, reason in zip(missing, reasons, strict=True):
            if reason:
                failures.setdefault(reason, []).append(f"{bundle.project} {bundle.version}")
    for reason, bundles in failures.items():
        note(f"definitions not to be had ({reason}): {', '.join(bundles)}")


def _cached(cache: Path, bundle: Bundle) -> Path:
    return cache / "crds" / f"{bundle.project}-{bundle.version}.yaml"


def _download(bundle: Bundle, cache: Path) -> str:
    """Fetch one file whole, or say why not; a file that holds none of ours is not kept."""
    import urllib3

    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    try:
        with urllib3.PoolManager(retries=urllib3.Retry(0, redirect=5)) as pool:
            answer = pool.request("GET", bundle.url, timeout=timeout)
    except urllib3.exceptions.HTTPError as error:
        return _plain(error)
    if answer.status != 200:
        return f"HTTP {answer.status}"
    if bundle.sha256 and sha256(answer.data).hexdigest() != bundle.sha256:
        return "its checksum is not the pinned one"
    try:
        if not _with_operators(_documents(answer.data, is_json=False)):
            return "the file holds none of our kinds"
        path = _cached(cache, bundle)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part")
        temporary.write_bytes(answer.data)
        temporary.replace(path)
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _plain(error: Exception) -> str:
    text = str(getattr(error, "reason", None) or error)
    return "no connection" if "resolve" in text or "refused" in text else text.rpartition(": ")[2]


def _documents(data: bytes, *, is_json: bool) -> Iterator[Any]:
    if is_json:
        yield json.loads(data)
        return
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """Some definitions use the scalar `=`, for which YAML 1.1 has a type of its own."""

    Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: node.value)
    try:
        yield from list(yaml.load_all(data, Loader))
    except yaml.YAMLError as error:
        raise ValueError(f"no valid YAML: {error}") from None
