"""A small repository and a local platform of its own, for tests of the platform as a whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import boto3
import orjson
import psutil
from botocore.config import Config

from aspora.named_secrets import named_secrets
from aspora.names import OWNER_LABEL
from infra.definitions import find
from local import controlplane, moto_server, platform, simulation
from local.discovery import Ref, ref_of
from local.engine_state import EngineState
from local.kube import KubeClient
from local.paths import LOCAL, Paths
from local.platform import Outcome, Wanted
from local.progress import QuietProgress
from tests.core import ROOT

Object = dict[str, Any]
T = TypeVar("T")

# On a leap day alone: a test that counts pods must not meet a Job that has just started.
PETS = """\
name: pets
owner: {team: pets-team, costCenter: pets}
agents:
  - name: vet
    image: aspora/pets-vet:v1.0.0
    model: claude-haiku-4-5
    skills:
      - name: advise
        description: Says whether a pet should see a vet.
      - name: remind
        description: Reminds owners of the vaccinations that are due.
        schedule: "0 0 29 2 *"
        timeZone: Asia/Dubai
"""

KNOWS_EVERY_DOMAIN = re.compile(
    r"aspora-platform/(model|tool)-gateway(-keys|-sync(-[0-9a-f]{16})?)?"
    r"|aspora-observability/aspora|otel-(collector|gateway)"
)
"""The shared objects that hold something of each domain: the gateways' configuration and keys, the
routes of alerts, and the releases of the collector. They change with any domain."""


def of_domains(changes: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Changes (operation, URN) without those of the shared objects."""
    return [(what, urn) for what, urn in changes if not shared(urn.rpartition("::")[2])]


def shared(name: str) -> bool:
    """Whether an object (namespace/name) knows every domain."""
    return KNOWS_EVERY_DOMAIN.fullmatch(name) is not None


def apart(found: Mapping[Ref, T]) -> dict[Ref, T]:
    """Objects without the shared ones."""
    return {ref: value for ref, value in found.items() if not shared(f"{ref.namespace}/{ref.name}")}


BIRDS = """\
name: birds
owner: {team: birds-team, costCenter: birds}
agents:
  - name: keeper
    image: aspora/birds-keeper:v1.0.0
    model: claude-haiku-4-5
    skills:
      - name: count
        description: Counts the birds.
        schedule: "0 0 29 2 *"
        timeZone: Asia/Dubai
"""

HELD_UP = '''
import sys
from itertools import count as numbers

from aspora.cli import run
from local import progress
from local.kube import KubeClient
from local.providers.aws import AwsStandIn

moment, count, arguments = sys.argv[1], int(sys.argv[2]), sys.argv[3:]

def hold():
    print("reached", flush=True)
    sys.stdin.read()

class Told(list):
    def append(self, line):
        if moment in line:
            hold()

def make_progress(stream):
    quiet = progress.QuietProgress()
    quiet.lines = Told()
    return quiet

def counted(name, original):
    calls = numbers(1)
    def call(self, target, **options):
        if not options.get("dry_run") and name == moment and next(calls) == count:
            hold()
        return original(self, target, **options)
    return call

def aws_made(original):
    """Held when AWS has made the `count`-th resource and nobody knows of it yet."""
    calls = numbers(1)
    def create(self, resource, inputs):
        made = original(self, resource, inputs)
        if not resource.preview and moment == "aws" and next(calls) == count:
            hold()
        return made
    return create

progress.make_progress = make_progress
for name in ("apply", "delete", "get"):
    setattr(KubeClient, name, counted(name, getattr(KubeClient, name)))
AwsStandIn.create = aws_made(AwsStandIn.create)
sys.exit(run(arguments))
'''

# What controllers make with the labels of its maker and without an owner reference.
_MADE_BY_CONTROLLERS = frozenset(("Endpoints",))


@dataclass
class Lab:
    """One repository and one state folder."""

    root: Path
    paths: Paths

    @classmethod
    def make(cls, folder: Path, stack: str = LOCAL) -> Lab:
        """A repository without domains below `folder`, with the user's own tool cache."""
        root = folder / "repository"
        (root / "domains").mkdir(parents=True)
        for name in ("Pulumi.yaml", f"Pulumi.{stack}.yaml"):
            shutil.copy(ROOT / name, root)
        own = {**os.environ, "ASPORA_STATE": str(folder / "state")}
        return cls(root, Paths.from_environment(own, stack))

    @property
    def stack(self) -> str:
        """`local`, or the one that is simulated."""
        return self.paths.stack

    # -- the repository --------------------------------------------------------------------------

    def write(self, *texts: str) -> Wanted:
        """Make these the repository's only domains."""
        shutil.rmtree(self.root / "domains")
        for text in texts:
            folder = self.root / "domains" / text.split()[1]
            folder.mkdir(parents=True)
            (folder / "domain.yaml").write_text(text, encoding="utf-8")
        return platform.read(self.root, stack=self.stack)

    def wanted(self) -> Wanted:
        """What the repository asks for."""
        return platform.read(self.root, stack=self.stack)

    # -- the platform ----------------------------------------------------------------------------

    def up(self, *texts: str) -> Outcome:
        """Bring the platform up in this process, with these domains if any are given."""
        wanted = self.write(*texts) if texts else self.wanted()
        return platform.up(wanted, self.paths, QuietProgress())

    def down(self) -> bool:
        """Take it down in this process."""
        return platform.down(self.paths, QuietProgress())

    def environment(self) -> dict[str, str]:
        """What a command of this lab sees."""
        state = str(self.paths.state).removesuffix("" if self.stack == LOCAL else f"-{self.stack}")
        own = {"ASPORA_ROOT": str(self.root), "ASPORA_STATE": state}
        return {**os.environ, **own}

    def command(self, *arguments: str, blocks: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `aspora ARGUMENTS` to its end; no file may have more than `blocks` times 512 B.

        For a simulated stack the options that say so are added.
        """
        limit = ["/bin/sh", "-c", 'ulimit -f "$0" && exec "$@"', str(blocks)] if blocks else []
        return subprocess.run(
            [*limit, sys.executable, "-m", "aspora", *arguments, *self._options()],
            capture_output=True,
            cwd=ROOT,
            env=self.environment(),
            text=True,
            timeout=180,
            check=False,
        )

    def _options(self) -> list[str]:
        return simulation.command("", self.stack).split()[1:]

    @contextmanager
    def held(self, moment: str, count: int = 0) -> Iterator[subprocess.Popen[str]]:
        """`aspora up` in a process group of its own, held at a moment until its stdin closes.

        The moment: words of what it says it is doing, the `count`-th call of the client's "get",
        "apply" or "delete", or "aws" when the stand-in has made its `count`-th resource.
        """
        process = subprocess.Popen(
            [sys.executable, "-c", HELD_UP, moment, str(count), "up", *self._options()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=self.environment(),
            text=True,
            start_new_session=True,
        )
        with process:
            assert process.stdout is not None
            try:
                if process.stdout.readline() != "reached\n":
                    _, stderr = process.communicate()
                    raise AssertionError(f"it never came to {moment!r}: {stderr}")
                yield process
            finally:
                process.kill()

    @contextmanager
    def client(self) -> Iterator[KubeClient]:
        """A client of the lab's API server, which must be up."""
        client = KubeClient.from_kubeconfig(self.paths.kubeconfig)
        try:
            yield client
        finally:
            client.close()

    # -- what is there ---------------------------------------------------------------------------

    def live(self, selector: str = OWNER_LABEL) -> dict[Ref, Object]:
        """Every object with a label, but what a controller made; each once."""
        found: dict[tuple[str, ...], Object] = {}
        with self.client() as client:
            for resource in client.discover(refresh=True):
                if "list" not in resource.verbs or resource.kind in _MADE_BY_CONTROLLERS:
                    continue
                for obj in client.list(
                    resource.api_version, resource.kind, label_selector=selector
                ):
                    ref = ref_of(obj)
                    key = (ref.group, ref.kind, ref.namespace, ref.name)
                    if not obj["metadata"].get("ownerReferences"):
                        found.setdefault(key, obj)
        return {ref_of(obj): obj for obj in found.values()}

    def contents(self) -> dict[Ref, Object]:
        """What the objects ask for: all of them, without status and bookkeeping."""
        return {ref: _content(obj) for ref, obj in self.live().items()}

    def uids(self, selector: str = OWNER_LABEL) -> dict[Ref, str]:
        """Who the objects are: one that was deleted and made again has another uid."""
        return {ref: obj["metadata"]["uid"] for ref, obj in self.live(selector).items()}

    def desired(self) -> set[Ref]:
        """What the repository and the definitions say should be there."""
        return platform.desired(self.wanted(), find(os.environ, self.paths.cache, print))

    def pods(self, namespace: str) -> dict[str, str]:
        """Pods of a namespace by uid."""
        with self.client() as client:
            pods = client.list("v1", "Pod", namespace=namespace)
        return {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in pods}

    def state(self) -> list[Object]:
        """The resources in the engine's checkpoint that are no component and no provider."""
        checkpoint = EngineState(self.paths.pulumi, "aspora-platform", self.stack).checkpoint
        latest = orjson.loads(checkpoint.read_bytes())["checkpoint"]["latest"]
        assert not latest.get("pending_operations")
        return [
            entry
            for entry in latest.get("resources", ())
            if entry.get("custom") and not entry["type"].startswith("pulumi:")
        ]

    def in_state(self) -> Counter[Ref]:
        """The Kubernetes objects of the checkpoint; each should be there once."""
        return Counter(
            ref_of(entry["inputs"])
            for entry in self.state()
            if re.match(r"kubernetes:(?!helm)", entry["type"])  # releases are kept, not made
        )

    def secrets(self) -> list[str]:
        """The entries of Secrets Manager of our own that moto holds, sorted."""
        pages = self.aws("secretsmanager").get_paginator("list_secrets").paginate()
        found = sorted(entry["Name"] for page in pages for entry in page["SecretList"])
        return [name for name in found if name.startswith("aspora/")]

    def aws(self, service: str) -> Any:
        """A boto3 client of the lab's moto."""
        moto = moto_server.status(self.paths)
        assert moto is not None
        return boto3.client(
            service,
            endpoint_url=moto.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(proxies={}),
        )

    def processes(self) -> list[psutil.Process]:
        """Every process that works for this lab, engines and servers alike."""
        return [found for found in psutil.process_iter() if self._is_ours(found)]

    def engines(self) -> list[psutil.Process]:
        """Engines of this lab."""
        named = [found for found in psutil.process_iter(["name"]) if found.info["name"] == "pulumi"]
        return [found for found in named if self._is_ours(found)]

    def _is_ours(self, process: psutil.Process) -> bool:
        state = str(self.paths.state)
        try:
            told = [*process.cmdline(), process.cwd(), *process.environ().values()]
            return process.pid != os.getpid() and any(state in text for text in told)
        except (psutil.Error, OSError):
            return False

    def kill(self, *programs: str) -> None:
        """SIGKILL background programs by name ("moto", or one of the control plane)."""
        for component in controlplane.parts(self.paths):
            if component.name in programs and component.pid:
                psutil.Process(component.pid).kill()
        moto = moto_server.status(self.paths)
        if moto and "moto" in programs:
            psutil.Process(moto.pid).kill()

    # -- the one thing that must hold ------------------------------------------------------------

    def assert_converged(self) -> None:
        """What is there, what the engine remembers and what the files say are the same."""
        wanted, desired = self.wanted(), self.desired()
        live = self.live()
        assert set(live) == desired, f"{sorted(set(live) ^ desired)}"
        assert [ref for ref, obj in live.items() if "deletionTimestamp" in obj["metadata"]] == []
        remembered = self.in_state()
        assert set(remembered) == desired, f"{sorted(set(remembered) ^ desired)}"
        assert max(remembered.values()) == 1
        named = named_secrets(wanted.domains, wanted.settings)
        assert self.secrets() == sorted(secret.name for secret in named)
        assert self.engines() == []
        assert not self.paths.dirty.exists()


def _content(obj: Object) -> Object:
    meta = {
        key: value
        for key, value in obj["metadata"].items()
        if key not in ("managedFields", "resourceVersion")
    }
    return {key: value for key, value in obj.items() if key != "status"} | {"metadata": meta}


def assert_clear(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 1, an error that says what and the way out, and no traceback."""
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr + result.stdout, result.stderr
    assert "error: " in result.stderr or "the local platform is not up" in result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


def spoiled(wanted: Wanted, kind: str, spec: Object) -> Wanted:
    """`wanted` with fields of the first object of a kind set to what the API server refuses."""
    done: list[Object] = []

    def spoil(obj: Object) -> Object:
        if obj["kind"] != kind or done:
            return obj
        done.append(obj)
        return {**obj, "spec": {**obj["spec"], **spec}}

    domains = tuple(
        replace(
            domain,
            skills=tuple(
                replace(skill, objects=tuple(map(spoil, skill.objects))) for skill in domain.skills
            ),
        )
        for domain in wanted.rendered.domains
    )
    assert done
    return replace(wanted, rendered=replace(wanted.rendered, domains=domains))
