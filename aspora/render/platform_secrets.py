"""The platform's SecretStores and ExternalSecrets, from the table in `aspora/services/secrets.py`.

A store a namespace, with a reader whose role ends at that namespace's part (decision 9).
"""

from __future__ import annotations

from collections.abc import Iterator

from aspora import names
from aspora.named_secrets import database_endpoint
from aspora.render.objects import Object
from aspora.render.secrets import external_secret, store_objects
from aspora.services.secrets import FILLED, PARTS, STORE, Filled, reader_role, value_path
from aspora.stack import StackSettings


def secret_objects(settings: StackSettings) -> list[Object]:
    """Readers and stores, then the Secrets."""
    labels = names.platform_labels()
    stores = [
        obj
        for part, namespace in PARTS.items()
        for obj in store_objects(STORE, namespace, labels, settings, reader_role(settings, part))
    ]
    return [*stores, *(_filled(row, settings) for row in FILLED)]


def _filled(row: Filled, settings: StackSettings) -> Object:
    data = list(_reads(row, settings))
    namespace = PARTS[row.part]
    return external_secret(
        row.name, namespace, STORE, names.platform_labels(), data, dict(row.data)
    )


def _reads(row: Filled, settings: StackSettings) -> Iterator[Object]:
    for variable, source in row.reads.items():
        if isinstance(source, str):
            remote = {"key": value_path(settings, row.part, source)}
        else:
            key = database_endpoint(settings, names.PLATFORM_OWNER)
            remote = {"key": key, "property": source.of_endpoint}
        yield {"secretKey": variable, "remoteRef": remote}
