"""The engine's files: its backend, its work folder, and what a killed run leaves in them."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson
import psutil
import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_STACK = "pulumi:pulumi:Stack"
_SIGNATURE = "4dabf18193072939515e22adb298388d"  # what marks a value that is no plain one
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the mark of a secret, not one


class EngineState:
    """Files of one stack below one folder."""

    def __init__(self, root: Path, project: str, stack: str) -> None:
        self.root = root
        self.backend = root / "backend"
        self.work = root / "work"
        self.home = root / "home"
        self._project = project
        self._stack = stack

    @property
    def checkpoint(self) -> Path:
        """What the engine believes to be there."""
        return self.backend / ".pulumi" / "stacks" / self._project / f"{self._stack}.json"

    def outputs(self) -> dict[str, Any]:
        """What the last `up` exported, but for secrets; empty when there was none."""
        for resource in self.resources():
            if resource["type"] == _STACK:
                exported = resource.get("outputs", {})
                return {name: value for name, value in exported.items() if not _holds(value)}
        return {}

    def resources(self) -> tuple[dict[str, Any], ...]:
        """The resources as the engine wrote them: urn, type, id, inputs, outputs, protect ..."""
        try:
            latest = orjson.loads(self.checkpoint.read_bytes())["checkpoint"]["latest"] or {}
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            return ()
        return tuple(latest.get("resources", ()))

    def objects(self) -> tuple[dict[str, Any], ...]:
        """The resources without the stack itself, providers and components."""
        return tuple(
            entry
            for entry in self.resources()
            if entry.get("custom") and not entry["type"].startswith("pulumi:")
        )

    def prepare(self, config: Mapping[str, str]) -> None:
        """Clear leftovers away and write the project and its settings."""
        self.end_leftovers()
        for folder in (self.backend, self.work, self.home):
            folder.mkdir(parents=True, exist_ok=True)
        for name in ("locks", "history", "backups"):
            shutil.rmtree(self.backend / ".pulumi" / name, ignore_errors=True)
        if not self._is_sound():
            self.reset()
        self._write_settings(config)

    def reset(self) -> None:
        """Forget every resource. An engine left over is known by its work folder: it ends first."""
        self.end_leftovers()
        for folder in (self.backend, self.work):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)

    def end_leftovers(self) -> None:
        """Kill engines of an earlier run: those processes whose work folder is ours."""
        found = [process for process in psutil.process_iter() if self._is_engine(process)]
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=5)

    def _is_engine(self, process: psutil.Process) -> bool:
        try:
            return process.name().startswith("pulumi") and process.cwd() == str(self.work)
        except (psutil.Error, OSError):
            return False

    def _is_sound(self) -> bool:
        """Whether the checkpoint can be read; operations that never ended are taken out of it."""
        try:
            data = orjson.loads(self.checkpoint.read_bytes())
            latest: dict[str, Any] = data["checkpoint"]["latest"] or {}
        except FileNotFoundError:
            return True
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            return False
        if latest.pop("pending_operations", None):
            replacement = self.checkpoint.with_suffix(".new")
            replacement.write_bytes(orjson.dumps(data))
            replacement.replace(self.checkpoint)
        return True

    def _write_settings(self, config: Mapping[str, str]) -> None:
        project = {"name": self._project, "runtime": "python"}
        (self.work / "Pulumi.yaml").write_text(yaml.safe_dump(project), encoding="utf-8")
        path = self.work / f"Pulumi.{self._stack}.yaml"
        settings: dict[str, Any] = {}
        with suppress(OSError, yaml.YAMLError):
            settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        settings["config"] = dict(config)
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")


def _holds(value: Any) -> bool:
    """Whether a secret stands anywhere in it."""
    if isinstance(value, dict):
        return value.get(_SIGNATURE) == _SECRET or any(map(_holds, value.values()))
    return isinstance(value, list) and any(map(_holds, value))
