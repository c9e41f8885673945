"""What a long step is doing, for a terminal or for a log file."""

from __future__ import annotations

import contextlib
import threading
import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as RichBar
    from rich.progress import TaskID

STILL_EVERY = 15.0  # seconds between two signs of life of a long step in a log file


class Step(Protocol):
    """One step under way."""

    def update(self, detail: str) -> None:
        """Say what it does now; may be called many times a second."""

    def done(self, detail: str) -> None:
        """Say what came of it; shown when the step ends."""


class Progress(Protocol):
    """Shows steps, which may be nested, and remarks between them."""

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Show a step while the block runs, and how it ended and how long it took."""

    def note(self, message: str) -> None:
        """Show one line at once."""


def make_progress(stream: TextIO, *, force_plain: bool = False) -> Progress:
    """Spinners on a terminal, plain lines everywhere else."""
    if force_plain or not stream.isatty():
        return PlainProgress(stream)
    return TerminalProgress(stream)


class QuietProgress:
    """Shows nothing and remembers everything; for tests and for `--quiet`."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Remember the title and what is reported."""
        self.lines.append(title)
        yield _QuietStep(self.lines, title)

    def note(self, message: str) -> None:
        """Remember a remark."""
        self.lines.append(message)


class _QuietStep:
    def __init__(self, lines: list[str], title: str) -> None:
        self._lines = lines
        self._title = title

    def update(self, detail: str) -> None:
        self._lines.append(f"{self._title}: {detail}")

    def done(self, detail: str) -> None:
        self._lines.append(f"{self._title}: {detail}")


class PlainProgress:
    """One line when a step starts, one when it ends, a sign of life in between."""

    def __init__(self, stream: TextIO, *, still_every: float = STILL_EVERY) -> None:
        self._stream = stream
        self._still_every = still_every
        self._write_lock = threading.Lock()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Announce the step and report its end."""
        started = time.monotonic()
        step = _PlainStep()
        ended = threading.Event()
        watcher = threading.Thread(
            target=self._signs_of_life, args=(title, step, started, ended), daemon=True
        )
        self.note(f"{title} ...")
        watcher.start()
        outcome = "failed after"
        try:
            yield step
            outcome = "done in"
        finally:
            ended.set()
            watcher.join()
            detail = f" ({step.result})" if step.result and outcome == "done in" else ""
            self.note(f"{title}: {outcome} {elapsed(started)}{detail}")

    def note(self, message: str) -> None:
        """Write one line; a reader that went away must not stop the work."""
        with self._write_lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(message + "\n")
            self._stream.flush()

    def _signs_of_life(
        self, title: str, step: _PlainStep, started: float, ended: threading.Event
    ) -> None:
        while not ended.wait(self._still_every):
            detail = f", {step.detail}" if step.detail else ""
            self.note(f"{title}: still working, {elapsed(started)}{detail}")


class _PlainStep:
    def __init__(self) -> None:
        self.detail = ""
        self.result = ""

    def update(self, detail: str) -> None:
        self.detail = detail

    def done(self, detail: str) -> None:
        self.result = detail


class TerminalProgress:
    """Spinners with the time elapsed; a finished step leaves one line behind."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False)
        self._bar: RichBar | None = None
        self._open = 0

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Spin until the block ends."""
        bar = self._acquire()
        task = bar.add_task(title, total=None, detail="")
        started = time.monotonic()
        step = _TerminalStep(bar, task)
        ended_well = False
        try:
            yield step
            ended_well = True
        finally:
            bar.remove_task(task)
            self._release()
            self._line(title, step.result, elapsed(started), ended_well=ended_well)

    def note(self, message: str) -> None:
        """Print one line above the spinners."""
        self._console.print(message, markup=False, soft_wrap=True)

    def _line(self, title: str, result: str, took: str, *, ended_well: bool) -> None:
        from rich.text import Text

        line = Text.assemble(("✓ ", "green") if ended_well else ("✗ ", "red"), title)
        if result and ended_well:
            line.append(f"  {result}", style="dim")
        line.append(f"  {took}", style="dim")
        self._console.print(line, soft_wrap=True)

    def _acquire(self) -> RichBar:
        from rich.progress import (
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        if self._bar is None:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                TextColumn("{task.fields[detail]}", style="dim", markup=False),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
                redirect_stdout=False,
            )
            self._bar.start()
        self._open += 1
        return self._bar

    def _release(self) -> None:
        self._open -= 1
        if self._open == 0 and self._bar is not None:
            self._bar.stop()
            self._bar = None


class _TerminalStep:
    def __init__(self, bar: RichBar, task: TaskID) -> None:
        self._bar = bar
        self._task = task
        self.result = ""

    def update(self, detail: str) -> None:
        self._bar.update(self._task, detail=detail)

    def done(self, detail: str) -> None:
        self.result = detail


def elapsed(started: float) -> str:
    """Time since `started` (of time.monotonic) for a reader: 3.2 s, 45 s, 3 min 05 s."""
    seconds = time.monotonic() - started
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
