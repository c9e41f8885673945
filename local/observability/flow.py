"""`aspora up --observability`: tools, processes, executions, and what became of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aspora.errors import LocalPlatformError
from local import lock, toolchain
from local.environments import PHOENIX, python_of
from local.observability import configs, executions, results, sending, servers

if TYPE_CHECKING:
    from local.observability.configs import Ports
    from local.observability.results import Results
    from local.paths import Paths
    from local.platform import Wanted
    from local.progress import Progress, Step

WAVES = 5
"""A counter that Prometheus sees for the first time has not increased: only what comes after does.
So the first wave is small, and each waits for the one before."""
FIRST = 50
SECONDS = 90.0


def up(wanted: Wanted, paths: Paths, progress: Progress) -> Results:
    """All of it, once: a second run finds it running and sends nothing. Raises AsporaError."""
    with lock.hold(paths, "up --observability"):
        names = [domain.name for domain in wanted.domains]
        ports = servers.ports(paths) if _sent(paths) else None
        if ports:
            progress.note("the collector, Prometheus and Phoenix were up already; nothing is sent")
            return results.read(ports, names)
        for line in ("Observability, not as in a cluster:", *configs.CHANGES):
            progress.note(line if line.endswith(":") else f"  - {line}")
        programs = _programs(paths, progress)
        ports = servers.up(programs, wanted.settings, wanted.domains, paths, progress)
        _send(wanted, ports, paths, progress)
        found = results.read(ports, names)
        _marker(paths)
        return found


def shown(found: Results) -> list[str]:
    """The table and two sentences, for the screen."""
    firing = ", ".join(found.alerts) or "none yet; rules are read every 1 to 4 minutes"
    return [
        "",
        "Synthetic executions, as Prometheus (spans: Phoenix) has them:",
        *results.table(found),
        f"Personal data found unmasked in Phoenix: {found.unmasked}",
        f"Alerts: {firing}",
    ]


def _programs(paths: Paths, progress: Progress) -> servers.Programs:
    """Found, or made: the first time this takes minutes, and says so."""
    missing = [
        n for n, p in toolchain.where(_TOOLS, paths, tools=toolchain.OPTIONAL).items() if not p
    ]
    if missing:
        progress.note(
            f"{' and '.join(missing)}: downloaded or built once, which may take 15 minutes"
        )
    found = toolchain.ensure(_TOOLS, paths, progress, tools=toolchain.OPTIONAL)
    phoenix = python_of(PHOENIX, paths, progress, os.environ)
    return servers.Programs(found["otelcol"], found["prometheus"], phoenix)


_TOOLS = ("otelcol", "prometheus")


def _send(wanted: Wanted, ports: Ports, paths: Paths, progress: Progress) -> None:
    made = executions.make(wanted.domains, datetime.now(UTC))
    names = [domain.name for domain in wanted.domains]
    with progress.step(f"Sending {len(made):,} synthetic executions") as step:
        sent = spans = 0
        for wave in waves(made):
            spans += sending.send(wave, ports.otlp, paths.observability / "tls")
            sent += len(wave)
            _wait(lambda: results.counted(ports), sent, "executions", "Prometheus", step)
        _wait(lambda: sum(results.stored(ports, names).values()), spans, "spans", "Phoenix", step)
        step.done(f"{spans:,} spans, all arrived")


def waves(made: Sequence[executions.Made]) -> list[Sequence[executions.Made]]:
    """A small one, then the rest in equal parts."""
    size = max(-(-(len(made) - FIRST) // (WAVES - 1)), 1)
    rest = [made[start : start + size] for start in range(FIRST, len(made), size)]
    return [made[:FIRST], *rest]


def _wait(count: Callable[[], int], wanted: int, what: str, where: str, step: Step) -> None:
    deadline = time.monotonic() + SECONDS
    while (seen := count()) < wanted:
        if time.monotonic() > deadline:
            raise LocalPlatformError(
                f"of {wanted:,} {what}, {seen:,} arrived in {where} within {SECONDS:.0f} s",
                hint="see the logs of the collector beside the state: otel-gateway.log;"
                " `aspora down` and `aspora up --observability` start anew",
            )
        step.update(f"{where}: {seen:,} of {wanted:,} {what}")
        time.sleep(0.5)


def _sent(paths: Paths) -> bool:
    return (paths.observability / "sent").exists()


def _marker(paths: Paths) -> None:
    (paths.observability / "sent").touch()
