"""Where the platform on this machine keeps its files.

Two folders: the cache (tools; expensive to make, safe to keep) and the state (the platform that
runs now; `down` removes it). Each stack has a state folder of its own, so that a simulated one
runs beside the local one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL = "local"
"""The stack that is always here; every other one is played only when asked for."""


@dataclass(frozen=True)
class Paths:
    """The two folders and what stands in them. All paths are absolute."""

    cache: Path
    state: Path
    stack: str = LOCAL

    @classmethod
    def from_environment(cls, env: Mapping[str, str], stack: str = LOCAL) -> Paths:
        """Folders named by ASPORA_CACHE and ASPORA_STATE, else the user's XDG folders.

        ASPORA_STATE names the folder of `local`; that of staging has `-staging` added to its name.
        """
        home = Path(env.get("HOME") or Path.home())
        cache = _xdg(env, "XDG_CACHE_HOME", home / ".cache") / "aspora"
        named = _named(env, "ASPORA_STATE", home)
        states = _xdg(env, "XDG_STATE_HOME", home / ".local" / "state") / "aspora"
        if stack == LOCAL:
            state = named or states / LOCAL
        else:
            state = Path(f"{named}-{stack}") if named else states / f"{stack}-simulated"
        return cls(cache=_named(env, "ASPORA_CACHE", home) or cache, state=state, stack=stack)

    @property
    def tools(self) -> Path:
        """Finished tools, one folder each."""
        return self.cache / "tools"

    @property
    def build_logs(self) -> Path:
        """What `go build` and pip printed, one file a tool."""
        return self.cache / "logs"

    @property
    def go(self) -> Path:
        """Go's own caches: modules and compiled packages."""
        return self.cache / "go"

    @property
    def lock(self) -> Path:
        """Held while a command works on the local platform."""
        return self.state / "lock"

    @property
    def cluster(self) -> Path:
        """The control plane: etcd's data, certificates, ports."""
        return self.state / "cluster"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def pulumi(self) -> Path:
        """Pulumi's file backend and work folder."""
        return self.state / "pulumi"

    @property
    def moto(self) -> Path:
        """Which moto server runs, and where."""
        return self.state / "moto.json"

    @property
    def observability(self) -> Path:
        """The collector's, Prometheus's and Phoenix's files, once they were asked for."""
        return self.state / "observability"

    @property
    def logs(self) -> Path:
        """Logs of the processes that run."""
        return self.state / "logs"

    @property
    def dirty(self) -> Path:
        """Exists while an `up` has begun and not ended."""
        return self.state / "dirty"


def _xdg(env: Mapping[str, str], name: str, default: Path) -> Path:
    """The XDG base folder; the specification has relative values ignored."""
    value = env.get(name, "")
    return Path(value) if Path(value).is_absolute() else default


def _named(env: Mapping[str, str], name: str, home: Path) -> Path | None:
    value = env.get(name, "")
    if not value:
        return None
    if value == "~" or value.startswith("~/"):
        return (home / value[2:]).absolute()
    return Path(value).absolute()
