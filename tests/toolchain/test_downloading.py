"""Official files are used only when they are what their publisher put there."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from local.progress import QuietProgress
from local.toolchain import download, probe
from local.toolchain.download import Downloader
from local.toolchain.faults import NoWayError
from local.toolchain.table import Download
from tests.toolchain.sandbox import REPO, Sandbox, Site, archive, offer


def test_a_download_with_the_right_checksum_is_used(sandbox: Sandbox, site: Site) -> None:
    offer(sandbox, site.publish(archive()))
    program = sandbox.ensure()
    assert probe.output([str(program)], sandbox.env).strip() == "etcd Version: 3.7.3"
    assert {file.name for file in program.parent.iterdir()} == {"etcd", "etcd.json"}


def test_a_plain_file_needs_no_unpacking_and_a_lone_checksum_no_name(
    sandbox: Sandbox, site: Site
) -> None:
    program = b"#!/bin/sh\necho etcd Version: 3.7.3\n"
    site.files = {"etcd": program, "etcd.sha256": hashlib.sha256(program).hexdigest().encode()}
    offer(sandbox, Download(f"{site.url}/etcd", f"{site.url}/etcd.sha256"))
    assert sandbox.ensure().read_bytes() == program


def break_checksum(site: Site) -> None:
    site.files["etcd.tar.gz"] += b"x"


def break_off(site: Site) -> None:
    site.cut_off.add("etcd.tar.gz")


def take_checksums_away(site: Site) -> None:
    del site.files["SHA256SUMS"]


def leave_it_out_of_the_list(site: Site) -> None:
    site.files["SHA256SUMS"] = f"{'0' * 64}  other.tar.gz\n".encode()


def lead_in_circles(site: Site) -> None:
    site.redirects["etcd.tar.gz"] = "/etcd.tar.gz"


def lead_to_a_file(site: Site) -> None:
    site.redirects["etcd.tar.gz"] = "file:///etc/passwd"


@pytest.mark.parametrize(
    ("breakage", "why"),
    [
        (break_checksum, "is not what its publisher put there: its checksum is "),
        (break_off, "etcd.tar.gz broke off after 10 bytes"),
        (take_checksums_away, "SHA256SUMS answers 404"),
        (leave_it_out_of_the_list, "SHA256SUMS names no checksum of etcd.tar.gz"),
        (lead_in_circles, "etcd.tar.gz leads in circles"),
        (lead_to_a_file, "file:///etc/passwd is not HTTPS"),
    ],
)
def test_a_download_that_cannot_be_trusted_is_never_used(
    without_go: Sandbox, site: Site, breakage: object, why: str
) -> None:
    offer(without_go, site.publish(archive()))
    assert callable(breakage)
    breakage(site)
    failure = without_go.fails()
    assert why in failure.message
    assert not list(without_go.paths.tools.glob("etcd*"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (archive(member="elsewhere/etcd"), "holds no etcd-v3/etcd"),
        (b"not an archive at all", "holds no etcd-v3/etcd"),
        (archive()[:-30], "holds no etcd-v3/etcd"),
        (archive(version="3.7.2"), "is 3.7.2, not 3.7.3"),
    ],
)
def test_a_published_file_that_is_wrong_in_itself(
    without_go: Sandbox, site: Site, content: bytes, why: str
) -> None:
    offer(without_go, site.publish(content))
    assert why in without_go.fails().message


def test_a_bad_download_is_made_good_by_building(with_go: Sandbox, site: Site) -> None:
    offer(with_go, site.publish(archive()))
    break_checksum(site)
    assert with_go.ensure().exists()
    assert len(with_go.builds) == 1


def test_only_https_is_trusted(without_go: Sandbox, site: Site) -> None:
    offer(without_go, site.publish(archive()))
    failure = without_go.fails(downloader=Downloader(without_go.env))
    assert "is not HTTPS" in failure.message


def test_downloads_can_be_switched_off(without_go: Sandbox, site: Site) -> None:
    without_go.env["ASPORA_DOWNLOADS"] = "off"
    offer(without_go, site.publish(archive()))
    assert "download: switched off by ASPORA_DOWNLOADS" in without_go.fails().message


def test_a_host_that_cannot_be_reached_is_asked_once_a_run(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = download._pool

    def counting(scheme: str, host: str) -> object:
        asked.append(host)
        return real(scheme, host)

    monkeypatch.setattr(download, "_pool", counting)
    downloader = Downloader(sandbox.env, schemes=("http",))
    closed = Download("http://127.0.0.1:1/etcd", "http://127.0.0.1:1/etcd.sha256")
    with QuietProgress().step("") as step:
        for _ in range(3):
            with pytest.raises(NoWayError, match=r"cannot be reached \(Connection refused"):
                downloader.fetch(closed, "etcd", sandbox.root, step)
    assert asked == ["127.0.0.1"]


def test_a_file_size_limit_while_downloading_is_a_full_disk(sandbox: Sandbox, site: Site) -> None:
    offer(sandbox, site.publish(archive(padding=300_000)))
    code = f"""
import resource, sys
from pathlib import Path
from dataclasses import replace
from aspora.errors import ToolUnavailable
from local.paths import Paths
from local.progress import QuietProgress
from local.toolchain import TOOLS, ensure
from local.toolchain.download import Downloader
from local.toolchain.faults import NoWayError
from local.toolchain.table import Download, this_system
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
site = Download("{site.url}/etcd.tar.gz", "{site.url}/SHA256SUMS", "etcd-v3/etcd")
tool = replace(TOOLS["etcd"], downloads={{this_system(): site}})
try:
    ensure(["etcd"], Paths(Path({str(sandbox.paths.cache)!r}), Path("/s")), QuietProgress(),
           env={{"PATH": "/usr/bin:/bin"}}, tools={{"etcd": tool}},
           downloader=Downloader({{}}, schemes=("http",)))
except ToolUnavailable as failure:
    sys.exit(failure.message)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.stderr.startswith("the disk is full: making the tools needs room in")
    assert done.returncode == 1
    assert not list(sandbox.paths.tools.glob("etcd*"))
