"""Run checkov over the AWS resources of a program, and read what it says.

checkov looks at Terraform's plans, so it gets one. It runs in an environment of its own, with no
setting of the user's and no way out of this machine.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from aspora.errors import EnvironmentFailure
from aspora.policy import Result, Scan, Skip, Verdict, judge
from aspora.policy_skips import SKIPS
from aspora.registered import Registered, aws_resources
from aspora.terraform import addresses, plan

SCAN_SECONDS = 300.0
"""300 resources take 10 s on two idle cores."""
POLICY_INDEX = "https://www.checkov.io/5.Policy%20Index/terraform.html"
_NOWHERE = "http://127.0.0.1:9"  # the port of the protocol that throws everything away
_CRASHED = "Failed to run check"
_ANEW = "remove the folder checkov from the tool cache: it is installed anew then"


class ScanFailed(EnvironmentFailure):
    """checkov broke down, or looked at less than it was given."""


def gate(
    resources: Sequence[Registered],
    python: Path,
    stack: str,
    today: date,
    skips: Sequence[Skip] = SKIPS,
) -> Verdict:
    """Scan every AWS resource of a stack's program and judge the findings.

    Raises ScanFailed when the scanner did not look at each of them: that would be green, too.
    """
    given = sum(1 for _ in aws_resources(tuple(resources)))
    found = scan(plan(resources), python)
    if found.resources != given:
        raise ScanFailed(
            f"checkov looked at {found.resources} of {given} AWS resources",
            hint="the plan that aspora/terraform.py makes is not as checkov expects it",
        )
    return judge(found, addresses(resources), skips, stack, today)


def scan(plan: Mapping[str, Any], python: Path, *, seconds: float = SCAN_SECONDS) -> Scan:
    """What checkov says of a Terraform plan. Raises ScanFailed."""
    with tempfile.TemporaryDirectory(prefix="aspora-checkov-") as folder:
        (Path(folder) / "plan.json").write_text(json.dumps(plan), "utf-8")
        code, said, log = _run(python, Path(folder), seconds)
    if code != 0 or _CRASHED in log:
        raise ScanFailed(
            f"checkov broke down (exit code {code}):\n{_last_lines(log)}",
            hint="this is a bug of checkov, or of aspora/terraform.py that makes its input; when"
            f" checkov itself is damaged, {_ANEW}",
        )
    try:
        return _read(json.loads(said))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ScanFailed(
            f"checkov's report cannot be read; it starts with {said[:80]!r}",
            hint=_ANEW,
        ) from None


def _run(python: Path, folder: Path, seconds: float) -> tuple[int, str, str]:
    """Exit code, output and log. The work folder is ours, for checkov reads .checkov.yaml there."""
    options = ("--framework", "terraform_plan", "--skip-download", "--soft-fail", "--compact")
    command = (str(python), "-I", "-m", "checkov.main", *options, "-o", "json", "-f", "plan.json")
    try:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            command,
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ScanFailed(f"{python} cannot be started: {error.strerror}", hint=_ANEW) from None
    try:
        said, log = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise ScanFailed(
            f"checkov was not done in {seconds:.0f} s",
            hint="this machine may be busy; run the command again",
        ) from None
    return process.returncode, said, log


def _environment(folder: Path) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "LOG_LEVEL": "ERROR",
        "SKIP_PACKAGE_UPDATE_CHECK": "true",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _NOWHERE),
    }


def _read(report: Mapping[str, Any]) -> Scan:
    results, summary = report["results"], report["summary"]
    if summary["parsing_errors"]:
        raise ValueError("the plan could not be parsed")
    return Scan(
        resources=int(summary["resource_count"]),
        passed=_results(results["passed_checks"]),
        failed=_results(results["failed_checks"]),
    )


def _results(records: Sequence[Mapping[str, Any]]) -> tuple[Result, ...]:
    """Sorted, and each once: some checks are made in two ways."""
    return tuple(
        sorted(
            {
                Result(
                    record["check_id"],
                    record["resource_address"],
                    record["check_name"],
                    record["guideline"] or POLICY_INDEX,
                )
                for record in records
            }
        )
    )


def _last_lines(log: str) -> str:
    lines = log.strip().splitlines()[-8:] or ["(it said nothing)"]
    return "\n".join(f"    {line}" for line in lines)
