"""How the Pulumi CLI is started: with a small environment, and stopped with us."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from aspora.errors import LocalPlatformError, ToolUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_INHERITED = ("PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL")
_STOP_SECONDS = 15
_NO_PROXY = "no_grpc_proxy"


class Cli(PulumiCommand):
    """The CLI at one path. The user's own PULUMI_ and AWS_ variables never reach it.

    `was_killed` tells of the last command that it ended by a signal, so nothing it wrote counts.
    """

    was_killed = False

    def __init__(self, program: Path) -> None:  # the parent's would look for `bin/pulumi`
        self.command = str(program)
        self.version = self._read_version()

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Any = None,
        on_error: Any = None,
    ) -> CommandResult:
        """Run one command to its end; a KeyboardInterrupt stops it first."""
        result = self._finish([self.command, "--non-interactive", *args], cwd, additional_env)
        self.was_killed = result.code < 0
        if result.code != 0:
            raise create_command_error(result)
        return result

    def _finish(self, command: list[str], cwd: str, variables: Mapping[str, str]) -> CommandResult:
        env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        env |= {**variables, "PULUMI_AUTOMATION_API": "true"}
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # ^C reaches it through us, once: twice means "at once"
        )
        try:
            stdout, stderr = process.communicate()
        except BaseException:
            _stop(process)
            raise
        return CommandResult(stdout=stdout, stderr=stderr, code=process.returncode)

    def _read_version(self) -> VersionInfo:
        try:
            result = self._finish([self.command, "version"], "/", {"PULUMI_SKIP_UPDATE_CHECK": "1"})
            return VersionInfo.parse(result.stdout.strip().removeprefix("v"))
        except OSError as error:
            raise ToolUnavailable(f"{self.command} cannot be started: {error.strerror}") from None
        except ValueError:
            words = (result.stdout + result.stderr).strip()[:200]
            raise LocalPlatformError(f"{self.command} is not a Pulumi CLI: {words}") from None


def _stop(process: subprocess.Popen[str]) -> None:
    """Let the engine finish what it is doing and write its state; then end it."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=_STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.communicate()


@contextmanager
def without_proxy() -> Iterator[None]:
    """Keep calls on this machine: gRPC would send even 127.0.0.1 through the user's proxy."""
    before = os.environ.get(_NO_PROXY)
    os.environ[_NO_PROXY] = "127.0.0.1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_NO_PROXY, None)
        else:
            os.environ[_NO_PROXY] = before


def close_loop(loop: asyncio.AbstractEventLoop, *, patience: float = 1.0) -> None:
    """End what the SDK leaves open where the engine ended before the program did.

    Its own thread gets `patience` seconds first. Left alone, Python would print on the terminal
    that a coroutine could not be closed.
    """
    deadline = time.monotonic() + patience
    while not loop.is_closed() and time.monotonic() < deadline:
        time.sleep(0.01)
    if loop.is_closed() or loop.is_running():
        return
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        _let_end(loop, tasks, patience)
    loop.close()


def _let_end(
    loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[Any]], patience: float
) -> None:
    """Run until the tasks have ended; a callback the SDK left may stop the loop once before."""
    for _ in range(2):
        with suppress(RuntimeError):
            loop.run_until_complete(asyncio.wait(tasks, timeout=patience))
            return
