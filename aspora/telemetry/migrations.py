"""The tables of executions and their sums in ClickHouse: migrations, and who may read what.

`apply` gets the engine as a function, so that one runner serves chdb in tests, a client in a Job,
and whatever comes. A migration that has been applied is never edited: the next one mends it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import resources

from aspora.errors import EnvironmentFailure
from aspora.models import Domain

Run = Callable[[str], Sequence[Sequence[str]]]
"""Runs one statement and answers its rows, every value as text. The database is the session's."""

LEDGER = "schema_migrations"
FILE = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
READ_BY_TEAMS = (
    "executions",
    "model_calls",
    "feedback",
    "evaluations",
    "cost_by_hour",
    "cost_by_day",
    "quality_by_hour",
    "quality_by_day",
)
COLLECTOR_ROLE, PLATFORM_ROLE = "aspora-collector", "aspora-platform"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its name and its text."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return sha256(self.text.encode()).hexdigest()

    def statements(self, *, replicated: bool = False) -> list[str]:
        """One by one; with `replicated`, tables are copied between the servers of a cluster
        (in a database of the engine Replicated, which hands the statements on)."""
        text = re.sub(r"(?m)--.*$", "", self.text)
        if replicated:
            text = re.sub(r"(?m)^ENGINE = (\w*MergeTree)", r"ENGINE = Replicated\1", text)
        return [part.strip() for part in text.split(";") if part.strip()]


@cache
def migrations() -> tuple[Migration, ...]:
    """Those that ship with the package, in order."""
    folder = resources.files("aspora").joinpath("telemetry/clickhouse")
    found = sorted(file.name for file in folder.iterdir() if FILE.match(file.name))
    return tuple(
        Migration(int(name[:4]), name, folder.joinpath(name).read_text("utf-8")) for name in found
    )


def apply(
    run: Run, wanted: Sequence[Migration] | None = None, *, replicated: bool = False
) -> tuple[str, ...]:
    """Apply what is missing and answer the names of it.

    Each statement can be repeated, so a run that died halfway is simply run again. Raises
    EnvironmentFailure, before anything is changed, when an applied migration was edited since,
    or is not known here, which happens when an older version of the platform runs.
    """
    known = migrations() if wanted is None else tuple(wanted)
    run(
        f"CREATE TABLE IF NOT EXISTS {LEDGER} (number UInt32, name String, checksum String, "
        "applied_at DateTime DEFAULT now()) "
        f"ENGINE = {'Replicated' if replicated else ''}MergeTree ORDER BY number"
    )
    applied = {
        int(number): (name, checksum)
        for number, name, checksum in run(
            f"SELECT number, name, checksum FROM {LEDGER} ORDER BY number"  # noqa: S608 - our name
        )
    }
    _compare(known, applied)
    missing = [each for each in known if each.number not in applied]
    for migration in missing:
        for statement in migration.statements(replicated=replicated):
            run(statement)
        run(
            f"INSERT INTO {LEDGER} (number, name, checksum) VALUES "  # noqa: S608 - ours too
            f"({migration.number}, '{migration.name}', '{migration.checksum}')"
        )
    return tuple(each.name for each in missing)


def _compare(known: Iterable[Migration], applied: dict[int, tuple[str, str]]) -> None:
    by_number = {each.number: each for each in known}
    for number, (name, checksum) in applied.items():
        here = by_number.get(number)
        if here is None:
            raise EnvironmentFailure(
                f"the database has migration {name}, which this version of aspora does not know",
                hint="use the version that applied it, or a newer one",
            )
        if here.checksum != checksum:
            raise EnvironmentFailure(
                f"migration {here.name} was changed after it had been applied",
                hint="restore the file as it was, and write the change as a migration of its own",
            )


def access(domains: Sequence[Domain]) -> tuple[str, ...]:
    """Roles and row policies, all repeatable: the collector inserts, the platform reads all, and a
    team reads the rows of its own domain. Who has a role is said where users are made."""
    statements = [
        f"CREATE ROLE IF NOT EXISTS {_id(role)}" for role in (COLLECTOR_ROLE, PLATFORM_ROLE)
    ]
    statements.append(f"GRANT INSERT ON otel_traces TO {_id(COLLECTOR_ROLE)}")
    statements.append(f"GRANT SELECT ON otel_traces TO {_id(PLATFORM_ROLE)}")
    statements += _readers("platform", PLATFORM_ROLE, "1")
    for domain in domains:
        role = f"aspora-team-{domain.name}"
        statements.append(f"CREATE ROLE IF NOT EXISTS {_id(role)}")
        statements += _readers(domain.name, role, f"domain = '{domain.name}'")
    return tuple(statements)


def _readers(policy: str, role: str, rows: str) -> list[str]:
    """What lets `role` read `rows` of every table; each table has a policy of each reader."""
    found = []
    for table in READ_BY_TEAMS:
        found.append(f"GRANT SELECT ON {table} TO {_id(role)}")
        head = f"CREATE ROW POLICY OR REPLACE {_id(policy)} ON {table}"
        found.append(f"{head} USING {rows} TO {_id(role)}")
    return found


def _id(name: str) -> str:
    """As an identifier: names of domains hold hyphens, and never a backquote."""
    return f"`{name}`"
