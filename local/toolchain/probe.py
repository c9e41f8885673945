"""Ask a program for its version, without trusting it to answer."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from local.toolchain.faults import NoWayError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.toolchain.table import Tool

PATIENCE = 10.0  # seconds


def output(command: list[str], env: Mapping[str, str], *, patience: float | None = None) -> str:
    """What a short command prints. Raises NoWayError when it hangs, fails or cannot be run."""
    patience = patience or PATIENCE
    try:
        done = subprocess.run(  # noqa: S603 - the command is ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(env),
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoWayError(f"`{' '.join(command)}` did not answer in {patience:.0f} s") from None
    except OSError as error:
        raise NoWayError(f"{command[0]} cannot be run: {error.strerror}") from None
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        words = text.strip().splitlines()[-1:] or ["nothing"]
        raise NoWayError(
            f"`{' '.join(command)}` ended with {done.returncode} and said: {words[0][:200]}"
        )
    return text


def check(tool: Tool, program: Path, env: Mapping[str, str]) -> None:
    """Raise NoWayError unless the program runs and is exactly the version we pin."""
    quiet = {**env, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    text = output([str(program), *tool.version_arguments], quiet)
    found = re.findall(r"\bv?(\d+\.\d+\.\d+[-+\w.]*)", text)
    if tool.version not in found:
        raise NoWayError(
            f"{program} is {found[0] if found else 'of an unknown version'}, not {tool.version}"
        )
