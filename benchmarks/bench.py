"""Measure the core: `make bench`, or `python -m benchmarks.bench --runs 7`.

Whole processes, from start to exit, as a person or CI meets them. Each round runs every case
once, in turn, so that a slow moment of the machine falls on all of them alike.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Timer

from aspora.load import load_or_raise, load_stack
from aspora.render import render
from benchmarks import peers
from benchmarks.generate import ROOT, repository

START = ("-c", "pass")
RENDER = ("-m", "aspora", "render", "--stack", "staging", "--format", "json")
VALIDATE = ("-m", "aspora", "validate", "--stack", "staging")
DIFF = ("-m", "aspora", "diff", "--stack", "staging", "--format", "markdown")
DOMAINS = 50
PEER_RUNS = 3
PEER_SECONDS = 120
PROGRAM = ("-m", "benchmarks.program")
OBSERVE = ("-m", "benchmarks.observe")
ISOLATION = ("-m", "aspora", "isolation", "--format", "json")


@dataclass
class Case:
    """A command, where it runs, and what it must not exceed (seconds, MB)."""

    name: str
    arguments: tuple[str, ...]
    root: Path
    skills: int = 0
    seconds: float | None = None
    megabytes: float | None = None
    program: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] | None = None
    """Done before each run, and not timed."""
    most: int | None = None
    """The most runs, of what takes long."""
    patience: float | None = None
    """Seconds after which a run is cut off; it then counts as that long, and is not repeated."""
    cut_off: bool = False
    times: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: float = 0
    lines: int = 0

    def run(self) -> None:
        """Once: wall time, peak resident memory and lines of output."""
        own = {"ASPORA_ROOT": str(self.root), "PYTHONPATH": str(ROOT)}
        env = {**os.environ, **own, **self.environment}
        if self.before is not None:
            self.before()
        with tempfile.TemporaryFile() as out:
            began = time.perf_counter()
            child = os.posix_spawn(
                self.program,
                [self.program, *self.arguments],
                env,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
            )
            with self._patiently(child):
                _, status, usage = os.wait4(child, 0)
            self.times.append(time.perf_counter() - began)
            self.cpu.append(usage.ru_utime + usage.ru_stime)
            if status and not self.cut_off:
                sys.exit(f"{self.name} failed: {' '.join(self.arguments)}")
            # Linux counts in KiB, macOS in bytes.
            unit = 1024 if sys.platform != "darwin" else 1
            self.peak = max(self.peak, usage.ru_maxrss * unit / 1e6)
            out.seek(0)
            self.lines = sum(1 for _ in out)

    @contextmanager
    def _patiently(self, child: int) -> Iterator[None]:
        """End the child when the time is up."""

        def end() -> None:
            self.cut_off, self.most = True, 1
            os.kill(child, signal.SIGKILL)

        timer = Timer(self.patience or 3600, end)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @property
    def work(self) -> float:
        """Seconds of processor time in the run that was disturbed least: differences need it."""
        return min(self.cpu)

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.times)

    @property
    def verdict(self) -> str:
        """Against the targets."""
        wanted = []
        if self.seconds is not None:
            wanted.append((self.median < self.seconds, f"< {self.seconds} s"))
        if self.megabytes is not None:
            wanted.append((self.peak < self.megabytes, f"< {self.megabytes:.0f} MB"))
        return ", ".join(f"{text} {'met' if met else 'MISSED'}" for met, text in wanted)


def main() -> None:
    """Run all cases and print a table."""
    parser = argparse.ArgumentParser(description="Measure the core.")
    parser.add_argument("--runs", type=int, default=7, help="how often each case runs")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="aspora-bench-") as folder:
        roots = {domains: Path(folder) / str(domains) for domains in (1, 5, 50, 500)}
        skills = {domains: repository(root, domains) for domains, root in roots.items()}
        start = Case("start of Python alone", START, ROOT)
        own = Case("validate this repository", VALIDATE, ROOT, seconds=0.6)
        empty, hundred, thousand, huge = (
            Case(f"render {skills[domains]:,} skills to JSON", RENDER, root, skills[domains])
            for domains, root in roots.items()
        )
        thousand.seconds, thousand.megabytes = 1.5, 500
        checked = Case("validate 1,000 skills", VALIDATE, roots[50])
        observed = Case("rules and dashboards of 1,000 skills", OBSERVE, roots[50], seconds=2)
        isolation = Case("isolation of 1,000 skills", ISOLATION, roots[50], seconds=5)
        program = Case("staging's program, no engine", PROGRAM, ROOT, seconds=3)
        diffs = diff_cases(Path(folder))
        others, missing = peer_cases(Path(folder) / "peers", roots[50])
        cases = [start, own, empty, hundred, thousand, huge, checked, observed, isolation, program]
        cases += [*diffs, *others]
        for _ in range(runs):
            for case in cases:
                if case.most is None or len(case.times) < case.most:
                    case.run()
    report(cases, runs)
    print("\nTen times the skills, whole process:")
    for less, more in ((hundred, thousand), (thousand, huge)):
        print(f"  {less.skills} -> {more.skills}: {more.median / less.median:.1f} times")
    # 100 skills take some 20 ms beyond the start of any process, too little to divide by. The
    # 20 skills of the smallest case are in what is taken away: 980 of 1,000 remain.
    beyond = (huge.work - empty.work) / (thousand.work - empty.work) * 980 / 9980 * 10
    print(
        f"  {thousand.skills} -> {huge.skills}, processor time beyond the start: {beyond:.1f} times"
    )
    print("  (at most 11)")
    compare_peers(diffs, others, missing)


def diff_cases(folder: Path) -> list[Case]:
    """`aspora diff` with one of 1,000 skills changed: without a memory, with one that knows the
    base and not the new head, and with one that knows both."""
    base, head, cache = folder / "base", folder / "head", folder / "cache"
    for root in (base, head):
        repository(root, DOMAINS)
    edits = count(10)
    file = head / "domains/domain-007/domain.yaml"
    text = file.read_text("utf-8")

    def edit() -> None:
        file.write_text(text.replace("max: 4", f"max: {next(edits)}", 1), encoding="utf-8")

    def cold() -> None:
        edit()
        shutil.rmtree(cache, ignore_errors=True)

    arguments = (*DIFF, "--base", str(base), "--head", str(head))
    environment = {"ASPORA_CACHE": str(cache)}
    return [
        Case(
            name, arguments, base, DOMAINS * 20, limit, 500, environment=environment, before=before
        )
        for name, limit, before in (
            ("diff 1,000 skills, cold", 2.5, cold),
            ("diff, warm, another edit", 0.7, edit),
            ("diff, warm, the same edit", 0.7, None),
        )
    ]


def peer_cases(folder: Path, root: Path) -> tuple[list[Case], list[str]]:
    """The peers that are here, on the objects of 1,000 skills."""
    settings = load_stack("staging", root)
    rendered = render(load_or_raise([root / "domains"], settings), settings)
    groups = {domain.name: list(domain) for domain in rendered.domains}
    groups["shared"] = [*rendered.system, *rendered.cluster, *rendered.stores, *rendered.services]
    found, missing = peers.prepare(folder, groups)
    cases = [
        Case(
            peer.name,
            peer.arguments,
            root,
            program=peer.program,
            environment=peer.environment,
            most=PEER_RUNS,
            patience=PEER_SECONDS,
        )
        for peer in found
    ]
    return cases, missing


def compare_peers(diffs: list[Case], others: list[Case], missing: list[str]) -> None:
    """How many times as long as a cold diff each peer takes to print one side."""
    cold = diffs[0]
    print(f"\nPeers on the same objects, to print them once; `{cold.name}` does both sides:")
    for peer in others:
        ratio = peer.median / cold.median
        ahead = "" if ratio > 1 else "  BEHIND"
        memory = peer.peak / cold.peak
        more = f"cut off after {PEER_SECONDS} s, more than " if peer.cut_off else ""
        print(
            f"  {peer.name}: {more}{ratio:.1f} times as long, {memory:.1f} times the memory{ahead}"
        )
    for line in missing:
        print(f"  {line}")


def report(cases: list[Case], runs: int) -> None:
    """The table."""
    print(f"{runs} runs each, whole processes, {os.cpu_count()} cores, Python {sys.version[:6]}\n")
    print(f"{'':30}{'min':>7}{'median':>8}{'max':>7}{'CPU':>7}{'peak':>9}{'lines':>8}  target")
    for case in cases:
        print(
            f"{case.name:30}{min(case.times):6.2f}s{case.median:7.2f}s{max(case.times):6.2f}s"
            f"{case.work:6.2f}s"
            f"{case.peak:6.0f} MB{case.lines:8}  {case.verdict}"
        )


if __name__ == "__main__":
    main()
