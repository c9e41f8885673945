"""Pulumi's real engine, driven from this process, with its state in a folder of its own.

The program runs inline, so the CLI alone is enough: no language host, no plugin, and no file of
the repository is touched.
"""

from __future__ import annotations

import asyncio
import traceback
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import automation
from pulumi.automation import errors as automation_errors

from aspora.errors import AsporaError, LocalPlatformError
from local.engine_cli import Cli, close_loop, without_proxy
from local.engine_record import Record, ResourcesFailed, Summary, Tick
from local.engine_state import EngineState
from local.processes import out_of_space

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from local.paths import Paths

__all__ = ["PARALLEL", "Engine", "ResourcesFailed", "Summary", "Tick"]

# On 2 cores 8, 16 and 32 are equally fast with 350 objects; the API server is never the limit.
PARALLEL = 16


class Engine:
    """One stack of one inline program.

    The caller holds the lock of the local platform: whatever an earlier, killed run left behind
    (processes, locks, half-written state) is cleared away without asking.
    """

    def __init__(
        self,
        cli: Path,
        paths: Paths,
        program: Callable[[], Awaitable[None] | None],
        *,
        stack: str,
        config: Mapping[str, str],
        providers: Mapping[str, int],
        keep_checkpoints: bool = False,
        project: str = "aspora",
    ) -> None:
        self._cli = Cli(cli)
        self._program = program
        self._stack_name = stack
        self._config = dict(config)
        self._project = project
        self._state = EngineState(paths.pulumi, project, stack)
        self._failure: AsporaError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._environment = _environment(self._state, providers, keep_checkpoints=keep_checkpoints)

    def up(
        self, on_event: Callable[[Tick], None] | None = None, *, refresh: bool = False
    ) -> Summary:
        """Make everything as the program says. `refresh` first looks at what is really there."""
        return self._run("up", on_event, refresh=refresh, continue_on_error=True)

    def preview(
        self, on_event: Callable[[Tick], None] | None = None, *, refresh: bool = False
    ) -> Summary:
        """What `up` would change; raises with what a server would refuse."""
        return self._run("preview", on_event, refresh=refresh)

    def destroy(self, on_event: Callable[[Tick], None] | None = None) -> Summary:
        """Delete everything the state knows; nothing at all while any of it is protected."""
        self.require_unprotected()
        return self._run("destroy", on_event, continue_on_error=True)

    def require_unprotected(self) -> None:
        """Raise LocalPlatformError with every resource of the state that is protected."""
        protected = [entry for entry in self._state.objects() if entry.get("protect")]
        if protected:
            raise _is_protected(protected)

    def outputs(self) -> dict[str, Any]:
        """What the program exported in the last `up`."""
        return self._state.outputs()

    def resources(self) -> tuple[dict[str, Any], ...]:
        """The resources of the state, as the engine writes them (urn, type, id, inputs ...)."""
        deployment = self._stack().export_stack().deployment or {}
        return tuple(deployment.get("resources", ()))

    def reset_state(self) -> None:
        """Forget everything: the next `up` adopts what is there."""
        self._state.reset()

    @property
    def _make_room(self) -> str:
        return f"make room for {self._state.root}, or set ASPORA_STATE to another folder"

    def _stack(self) -> automation.Stack:
        try:
            self._state.prepare(self._config)
        except OSError as error:
            raise LocalPlatformError(
                f"the engine's state cannot be written: {error}",
                hint=self._make_room,
            ) from None
        workspace = _Workspace(
            self._state,
            work_dir=str(self._state.work),
            program=self._guarded_program,
            env_vars=self._environment,
            pulumi_command=self._cli,
        )
        return automation.Stack.create_or_select(self._stack_name, workspace)

    def _run(
        self, command: str, on_event: Callable[[Tick], None] | None, **options: Any
    ) -> Summary:
        self._failure = None
        self._loop = None
        record = Record(on_event)
        with without_proxy():
            try:
                run = getattr(self._stack(), command)
                run(
                    on_event=record,
                    parallel=PARALLEL,
                    color="never",
                    suppress_progress=True,
                    **options,
                )
            except automation_errors.CommandError as error:
                ended = not self._cli.was_killed
                failure = self._failure or record.failure(command, str(error), ended=ended)
                if out_of_space(str(error)) and not failure.hint:
                    failure.hint = self._make_room
                raise failure from failure.__cause__
            except RuntimeError as error:
                raise LocalPlatformError(f"the Pulumi engine failed: {error}") from None
            finally:
                self._close_loop()
        return record.summary()

    def _close_loop(self) -> None:
        """The loop is made by the SDK, in a thread of its own."""
        if self._loop:
            close_loop(self._loop)

    async def _guarded_program(self) -> None:
        """Run the program; its own errors go to our caller, not through the engine's log."""
        self._loop = asyncio.get_running_loop()
        try:
            result = self._program()
            if isawaitable(result):
                await result
        except AsporaError as error:
            self._failure = error
            raise pulumi.RunError(error.message) from None
        except Exception as error:  # noqa: BLE001 - raised again by _run
            self._failure = _of_the_program(error)
            raise pulumi.RunError(self._failure.message) from None


class _Workspace(automation.LocalWorkspace):
    """Reads outputs from the state: asking the CLI takes two calls, and each `up` asks."""

    def __init__(self, state: EngineState, **options: Any) -> None:
        super().__init__(**options)
        self._state = state

    def stack_outputs(self, stack_name: str) -> automation.OutputMap:
        """What the program exported; none of it is secret."""
        return {
            name: automation.OutputValue(value, secret=False)
            for name, value in self._state.outputs().items()
        }


def _is_protected(entries: Sequence[Mapping[str, Any]]) -> LocalPlatformError:
    names = sorted(f"{entry['type']} {entry['urn'].rpartition('::')[2]}" for entry in entries)
    what = "1 resource is" if len(names) == 1 else f"{len(names)} resources are"
    return LocalPlatformError(
        "\n  ".join((f"destroy: {what} protected, so nothing was deleted", *names)),
        hint="`aspora:aws` with `protect: false`, then an `up`, lifts it from all of them;\n"
        "`pulumi state unprotect URN` from one resource of a real stack",
    )


def _of_the_program(error: Exception) -> LocalPlatformError:
    """A bug in the program, said in one line; the traceback hangs on as the cause."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    failure = LocalPlatformError(
        f"the Pulumi program failed: {type(error).__name__}: {error}{where}",
        hint="this is a bug of the platform's own code",
    )
    failure.__cause__ = error
    return failure


def _environment(
    state: EngineState, providers: Mapping[str, int], *, keep_checkpoints: bool
) -> dict[str, str]:
    """What the engine gets to see beside PATH and HOME."""
    ports = ",".join(f"{name}:{port}" for name, port in sorted(providers.items()))
    variables = {
        "PULUMI_BACKEND_URL": state.backend.as_uri(),
        "PULUMI_HOME": str(state.home),
        "PULUMI_DEBUG_PROVIDERS": ports,
        "PULUMI_CONFIG_PASSPHRASE": "",  # the stack holds no secrets
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
    }
    if not keep_checkpoints:
        variables |= {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
    return variables
