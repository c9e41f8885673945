"""What the tests of the core share: the repository, a smallest domain, flattened objects."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aspora.load import Loaded, load, load_stack
from aspora.models import Domain
from aspora.render import Object, Rendered, render
from aspora.stack import StackSettings

ROOT = Path(__file__).parent.parent

MINIMAL = """\
name: pets
owner:
  team: pets-team
  costCenter: pets
agents:
  - name: vet
    image: aspora/pets-vet:v1.0.0
    model: claude-haiku-4-5
    skills:
      - name: advise
        description: Says whether a pet should see a vet.
"""


def settings(stack: str = "local", **changes: Any) -> StackSettings:
    """A stack of the repository, with fields changed."""
    return load_stack(stack, ROOT).model_copy(update=changes)


def repository() -> tuple[Domain, ...]:
    """The repository's own domains."""
    loaded = load([ROOT / "domains"], settings())
    assert not loaded.problems
    return loaded.domains


def write(folder: Path, *texts: str) -> Path:
    """Domain files below `folder`, each in the folder of its name."""
    for text in texts:
        name = next(line for line in text.splitlines() if line.startswith("name: "))[6:]
        path = folder / name / "domain.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def loaded(folder: Path, *texts: str, stack: StackSettings | None = None) -> Loaded:
    """The outcome of loading domain files of these texts."""
    return load([write(folder, *texts)], stack or settings())


def domains(folder: Path, *texts: str) -> tuple[Domain, ...]:
    """The models of texts that hold."""
    outcome = loaded(folder, *texts)
    assert [str(problem) for problem in outcome.problems] == []
    return outcome.domains


def of(rendered: Rendered, kind: str, name: str, namespace: str | None = None) -> Object:
    """The one object of that kind and name."""
    found = [
        obj
        for obj in rendered
        if obj["kind"] == kind
        and obj["metadata"]["name"] == name
        and namespace in (None, obj["metadata"].get("namespace"))
    ]
    assert len(found) == 1, f"{len(found)} objects are {kind} {name}"
    return found[0]


def platform(stack: str = "local", **changes: Any) -> Rendered:
    """The repository rendered for a stack."""
    return render(repository(), settings(stack, **changes))


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Leaves by path; items of a list go by their name, key or type where they have one."""
    return dict(_leaves(value, path))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and value:
        for index, below in enumerate(value):
            name = index
            if isinstance(below, Mapping):
                name = next((below[k] for k in ("name", "key", "type") if k in below), index)
            yield from _leaves(below, f"{path}[{name}]")
    else:
        yield path, value


def python(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    clean: bool = False,
) -> subprocess.CompletedProcess[bytes]:
    """A Python process of its own; `clean` starts it with no environment but `env`."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        cwd=cwd,
        env=({} if clean else dict(os.environ)) | dict(env or {}),
        timeout=120,
        check=False,
    )
