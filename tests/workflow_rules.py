"""What must hold of every workflow, as rules: each tells what breaks it, and where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from local.toolchain.table import PULUMI
from tests.core import ROOT
from tests.workflows import Job, Workflow

Workflows = Mapping[str, Workflow]
Rule = Callable[[Workflows], Iterator[str]]

PINS = {
    "actions/checkout": ("3d3c42e5aac5ba805825da76410c181273ba90b1", "v7.0.1"),
    "actions/setup-python": ("5fda3b95a4ea91299a34e894583c3862153e4b97", "v7.0.0"),
    "actions/cache": ("55cc8345863c7cc4c66a329aec7e433d2d1c52a9", "v6.1.0"),
    "actions/upload-artifact": ("043fb46d1a93c77aae656e7c1c64a875d1fc6a0a", "v7.0.1"),
    "actions/download-artifact": ("3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c", "v8.0.1"),
    "aws-actions/configure-aws-credentials": (
        "e6de054238d6b7531b4efff3b6587d9aade6a06c",
        "v6.2.3",
    ),
    "github/codeql-action/upload-sarif": ("ff2f1c621b7f889edc0d3c761ac2e6a3f8cdb0dd", "v4.37.7"),
    "pulumi/actions": ("8582a9e8cc630786854029b4e09281acd6794b58", "v6"),
}
"""Each action's commit and the tag it had; next: the releases of that repository."""

PERMISSIONS: Mapping[str, Mapping[str, str]] = {
    "pr/code-scanning": {"security-events": "write"},
    "comment/comment": {"actions": "read", "pull-requests": "write"},
    "deploy/staging": {"deployments": "read", "id-token": "write"},
    "deploy/preview-prod": {"id-token": "write"},
    "deploy/prod": {"deployments": "read", "id-token": "write"},
    "deploy/publish-staging": {"contents": "write"},
    "deploy/publish-prod": {"contents": "write"},
    "drift/look": {"id-token": "write"},
    "drift/tell": {"issues": "write"},
    "prices/propose": {"contents": "write", "pull-requests": "write"},
}
"""What a job may beyond reading the code. A new line here is a decision."""

OF_STRANGERS = ("pr", "cost")
"""Workflows that run code of a pull request."""
MINUTES = 120
HOSTED = "ubuntu-24.04"
_USES = re.compile(r"^\s*(?:- )?uses: (\S+?)(?:@([0-9a-f]{40}) # (v[\d.]+))?$", re.MULTILINE)
_ALL_USES = re.compile(r"^\s*(?:- )?uses:", re.MULTILINE)


def _jobs(workflows: Workflows) -> Iterator[Job]:
    for workflow in workflows.values():
        if not workflow.is_action:
            yield from workflow.jobs


def pinned(workflows: Workflows) -> Iterator[str]:
    """Actions by commit, with the tag beside it, from the table; our own by path."""
    for workflow in workflows.values():
        found = _USES.findall(workflow.text)
        if len(found) != len(_ALL_USES.findall(workflow.text)):
            yield f"{workflow.file}: an action is not pinned by a commit with its tag beside it"
        for name, commit, tag in found:
            if name.startswith("./"):
                if not (ROOT / name / "action.yml").is_file():
                    yield f"{workflow.file}: there is no {name}"
            elif PINS.get(name) != (commit, tag):
                yield f"{workflow.file}: {name} is not the one of the table"


def least_permissions(workflows: Workflows) -> Iterator[str]:
    """None for the workflow; each job names its own, and no more than the table says."""
    for workflow in workflows.values():
        if not workflow.is_action and workflow.data.get("permissions") != {}:
            yield f"{workflow.file}: permissions of the workflow are not {{}}"
    for job in _jobs(workflows):
        if "permissions" not in job.data:
            yield f"{job.id}: names no permissions"
        allowed = {"contents": "read"} | dict(PERMISSIONS.get(job.id, {}))
        more = {k: v for k, v in job.permissions.items() if v not in (allowed.get(k), "none")}
        if more:
            yield f"{job.id}: may {more}"


def time_limits(workflows: Workflows) -> Iterator[str]:
    """A job that hangs ends; 360 minutes are GitHub's own limit."""
    for job in _jobs(workflows):
        if not 0 < int(job.data.get("timeout-minutes", 0)) <= MINUTES:
            yield f"{job.id}: has no limit of at most {MINUTES} minutes"


def shells(workflows: Workflows) -> Iterator[str]:
    """`shell: bash` written out is bash with -e and pipefail; left out it is without."""
    for workflow in workflows.values():
        default = (workflow.data.get("defaults") or {}).get("run", {}).get("shell")
        for step in workflow.steps:
            if step.run and (step.data.get("shell") or default) != "bash":
                yield f"{step.id}: does not run in bash with pipefail"


def no_injection(workflows: Workflows) -> Iterator[str]:
    """Nothing is put into a script: values come by the environment, and bash expands them once."""
    for workflow in workflows.values():
        for step in workflow.steps:
            if "${{" in step.run:
                yield f"{step.id}: an expression stands in the script"
            if "eval" in step.run.split() or "xargs -I" in step.run:
                yield f"{step.id}: a value may become a command"


def no_credentials_on_disk(workflows: Workflows) -> Iterator[str]:
    """The checkout leaves no token in .git/config."""
    for workflow in workflows.values():
        for step in workflow.steps:
            if step.uses.startswith("actions/checkout@"):
                if step.inputs.get("persist-credentials") is not False:
                    yield f"{step.id}: keeps its credentials"
                if set(step.inputs) & {"ref", "repository", "token", "ssh-key"}:
                    yield f"{step.id}: takes something else than the commit of the event"


def no_secrets(workflows: Workflows) -> Iterator[str]:
    """Roles come by OIDC, tokens by GitHub: there is no secret to steal."""
    for workflow in workflows.values():
        if re.search(r"\bsecrets\b", re.sub(r"(?m)#.*$", "", workflow.text)):
            yield f"{workflow.file}: names a secret"


def strangers(workflows: Workflows) -> Iterator[str]:
    """Code of a pull request runs on `pull_request`, on GitHub's runners, with nothing in hand."""
    for workflow in workflows.values():
        if "pull_request_target" in workflow.triggers:
            yield f"{workflow.file}: runs on pull_request_target"
        stranger = "pull_request" in workflow.triggers
        if stranger != (workflow.file in OF_STRANGERS):
            yield f"{workflow.file}: is {'not ' * (not stranger)}started by pull requests"
        if stranger and set(workflow.triggers) != {"pull_request"}:
            yield f"{workflow.file}: is started by something else, too"
        if stranger and "github.token" in workflow.text:
            yield f"{workflow.file}: hands a token on"
        for job in workflow.jobs if stranger else ():
            yield from _stranger(job)


def _stranger(job: Job) -> Iterator[str]:
    if job.runner != HOSTED:
        yield f"{job.id}: runs on a runner of ours"
    if "id-token" in job.permissions:
        yield f"{job.id}: may have a role"
    if job.writes and any(step.run for step in job.steps):
        yield f"{job.id}: may write, and runs a script"


def commenter(workflows: Workflows) -> Iterator[str]:
    """What follows a stranger's run checks out `ci` of main and runs the one script of it."""
    for workflow in workflows.values():
        if "workflow_run" not in workflow.triggers:
            continue
        wanted = [workflows[name].data["name"] for name in ("pr",)]
        if workflow.triggers["workflow_run"]["workflows"] != wanted:
            yield f"{workflow.file}: follows another workflow than {wanted}"
        for step in workflow.steps:
            if step.run not in ("", "python3 -m ci.comment"):
                yield f"{step.id}: runs something else than the script"
            if step.uses and not step.uses.startswith("actions/checkout@"):
                yield f"{step.id}: uses something else than the checkout"


def writers_install_nothing(workflows: Workflows) -> Iterator[str]:
    """Where a token may write, only scripts that need Python alone run."""
    allowed = ("actions/checkout@", "actions/download-artifact@", "github/codeql-action/upload")
    for job in _jobs(workflows):
        if not job.writes:
            continue
        for step in job.steps:
            if step.run and not re.fullmatch(r"python3 -m ci\.\w+[^;&|\n]*", step.run):
                yield f"{step.id}: runs more than a script of ci/"
            if step.uses and not step.uses.startswith(allowed):
                yield f"{step.id}: uses {step.uses}"


def cancelled_never_midway(workflows: Workflows) -> Iterator[str]:
    """Runs of a pull request give way to newer ones, and nothing else does; one `up` at a time."""
    for workflow in workflows.values():
        groups = [(workflow.file, workflow.data.get("concurrency"))]
        groups += [(job.id, job.data.get("concurrency")) for job in workflow.jobs]
        for where, group in groups:
            if group is None:
                continue
            cancels = isinstance(group, dict) and group.get("cancel-in-progress") is True
            if cancels != (workflow.file in OF_STRANGERS):
                yield f"{where}: cancel-in-progress is wrong"
    for job in _jobs(workflows):
        stack = job.data.get("environment")
        ups = any("pulumi up" in step.run for step in job.steps)
        group = (job.data.get("concurrency") or {}).get("group")
        if ups and group != f"stack-{stack}":
            yield f"{job.id}: two of it may run at once"
        if ups and int(job.data["timeout-minutes"]) < MINUTES:
            yield f"{job.id}: its time limit may cut an `up` short"


def clusters_from_inside(workflows: Workflows) -> Iterator[str]:
    """Who talks to a cluster runs in its VPC; deploying needs the environment, looking has none."""
    for job in _jobs(workflows):
        ours = [step for step in job.steps if step.uses == "./.github/actions/stack"]
        touches = ours or any("pulumi" in step.run for step in job.steps)
        if not touches:
            if job.runner != HOSTED:
                yield f"{job.id}: does not need to run inside the VPC"
            continue
        if len(ours) != 1 or "id-token" not in job.permissions:
            yield f"{job.id}: has no role of the stack"
            continue
        inputs, environment = ours[0].inputs, job.data.get("environment")
        stack, role = inputs["stack"], inputs["role"]
        if job.runner != f"self-hosted linux aspora-{stack}":
            yield f"{job.id}: does not run inside the VPC of {stack}"
        if (job.data.get("env") or {}).get("STACK") != stack:
            yield f"{job.id}: its commands are for another stack than its role"
        if environment != (stack if role == "deploy" else None):
            yield f"{job.id}: {role} and the environment {environment} do not go together"
        changes = any(re.search(r"pulumi (up|destroy|import)\b", step.run) for step in job.steps)
        if changes != (role == "deploy"):
            yield f"{job.id}: the role {role} is not what its commands need"


def never_back(workflows: Workflows) -> Iterator[str]:
    """Before an `up`: a run of an old commit, approved late or run again, is refused."""
    for job in _jobs(workflows):
        scripts = [step.run for step in job.steps]
        up = next((i for i, script in enumerate(scripts) if "pulumi up" in script), None)
        if up is not None and 'python3 -m ci.order "$STACK"' not in scripts[:up]:
            yield f"{job.id}: may put an old commit over a newer one"


def same_engine(workflows: Workflows) -> Iterator[str]:
    """The CLI of staging and prod is the version that the local platform has tried."""
    for workflow in workflows.values():
        for step in workflow.steps:
            if step.uses.startswith("pulumi/actions@") and step.inputs != {
                "pulumi-version": PULUMI
            }:
                yield f"{step.id}: not Pulumi {PULUMI} alone"


def one_check_for_all(workflows: Workflows) -> Iterator[str]:
    """Branch protection asks for one job, which waits for every other that decides."""
    jobs = {job.name: job for job in workflows["pr"].jobs}
    needed = set(jobs["done"].data["needs"])
    if needed != jobs.keys() - {"done", "code-scanning"}:
        yield "pr/done: does not wait for every job"
    if jobs["done"].data.get("if") != "${{ always() }}":
        yield "pr/done: is skipped when something fails, and a skipped check counts as passed"


RULES: tuple[Rule, ...] = (
    pinned,
    least_permissions,
    time_limits,
    shells,
    no_injection,
    no_credentials_on_disk,
    no_secrets,
    strangers,
    commenter,
    writers_install_nothing,
    cancelled_never_midway,
    clusters_from_inside,
    never_back,
    same_engine,
    one_check_for_all,
)
