"""Run checkov over what a stack declares, and read what it says.

It looks at Terraform's plans and at Kubernetes objects, so it gets one of the first and all of the
second, in one run. It runs in an environment of its own, with no setting of the user's and no way
out of this machine.
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
from aspora.policy import Result, Scan, ScanInput, Verdict, judge

SCAN_SECONDS = 300.0
"""300 resources and 500 objects take 8 s on an idle core."""
INDEX = "https://www.checkov.io/5.Policy%20Index/"
PAGES = {"terraform_plan": "terraform.html", "kubernetes": "kubernetes.html"}
"""Where checks are listed that have no page of their own; the frameworks we use."""
FILES = {"terraform_plan": "plan.json", "kubernetes": "objects.yaml"}
"""What each framework's input is called; checkov goes by the ending."""
_NOWHERE = "http://127.0.0.1:9"  # the port of the protocol that throws everything away
_CRASHED = "Failed to run check"
_ANEW = "remove the folder checkov from the tool cache: it is installed anew then"


class ScanFailed(EnvironmentFailure):
    """checkov broke down, or looked at less than it was given."""


def gate(
    inputs: Sequence[ScanInput],
    python: Path,
    stack: str,
    today: date,
) -> tuple[Verdict, ...]:
    """Scan all inputs at once and judge each one's findings by its skips.

    Raises ScanFailed when the scanner did not look at everything: that would be green, too.
    """
    scans = scan({one.framework: one.text for one in inputs}, python)
    for one in inputs:
        _whole(one, scans[one.framework])
    return tuple(
        judge(scans[one.framework], one.subjects, one.skips, stack, today) for one in inputs
    )


def _whole(given: ScanInput, found: Scan) -> None:
    hint = "what `aspora` gives it is not as checkov expects it; this is a bug"
    if found.resources != given.given:
        raise ScanFailed(
            f"checkov looked at {found.resources} of {given.given} {given.what}s", hint=hint
        )
    seen = {result.address for result in (*found.passed, *found.failed)}
    strange, missed = sorted(seen - given.subjects.keys()), sorted(given.looked_at - seen)
    if strange:
        raise ScanFailed(f"checkov speaks of {strange[0]}, which it was not given", hint=hint)
    if missed:
        raise ScanFailed(f"checkov made no check of {', '.join(missed[:5])}", hint=hint)


def scan(
    texts: Mapping[str, str], python: Path, *, seconds: float = SCAN_SECONDS
) -> dict[str, Scan]:
    """What checkov says of a text for each of its frameworks. Raises ScanFailed."""
    with tempfile.TemporaryDirectory(prefix="aspora-checkov-") as folder:
        for framework, text in texts.items():
            (Path(folder) / FILES[framework]).write_text(text, "utf-8")
        code, said, log = _run(python, tuple(texts), Path(folder), seconds)
    if code != 0 or _CRASHED in log:
        raise ScanFailed(
            f"checkov broke down (exit code {code}):\n{_last_lines(log)}",
            hint="this is a bug of checkov, or of what makes its input (aspora/terraform.py,"
            f" aspora/checks/manifests.py); when checkov itself is damaged, {_ANEW}",
        )
    try:
        return _read(json.loads(said), tuple(texts))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ScanFailed(
            f"checkov's report cannot be read; it starts with {said[:80]!r}",
            hint=_ANEW,
        ) from None


def _run(
    python: Path, frameworks: tuple[str, ...], folder: Path, seconds: float
) -> tuple[int, str, str]:
    """Exit code, output and log. The work folder is ours, for checkov reads .checkov.yaml there."""
    files = [FILES[framework] for framework in frameworks]
    options = ("--framework", *frameworks, "--skip-download", "--soft-fail", "--compact")
    command = (str(python), "-I", "-m", "checkov.main", *options, "-o", "json", "-f", *files)
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


def _read(said: Any, frameworks: tuple[str, ...]) -> dict[str, Scan]:
    """One report for one framework, a list of them for several."""
    reports = said if isinstance(said, list) else [said]
    by_type = {report["check_type"]: report for report in reports}
    return {framework: _scan(by_type[framework], framework) for framework in frameworks}


def _scan(report: Mapping[str, Any], framework: str) -> Scan:
    results, summary = report["results"], report["summary"]
    if summary["parsing_errors"]:
        raise ValueError("the input could not be parsed")
    return Scan(
        resources=int(summary["resource_count"]),
        passed=_results(results["passed_checks"], framework),
        failed=_results(results["failed_checks"], framework),
    )


def _results(records: Sequence[Mapping[str, Any]], framework: str) -> tuple[Result, ...]:
    """Sorted, and each once: some checks are made in two ways."""
    return tuple(
        sorted(
            {
                Result(
                    record["check_id"],
                    record["resource_address"] or record["resource"],
                    record["check_name"],
                    record["guideline"] or INDEX + PAGES[framework],
                )
                for record in records
            }
        )
    )


def _last_lines(log: str) -> str:
    lines = log.strip().splitlines()[-8:] or ["(it said nothing)"]
    return "\n".join(f"    {line}" for line in lines)
