"""User data of gVisor nodes: read as a node reads it, and its script run with faked programs."""

from __future__ import annotations

import email
import io
import shutil
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from email.message import Message
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from aspora import user_data
from aspora.stack_aws import Gvisor
from infra.aws_account import Account
from tests.core import of, platform, settings
from tests.test_render import golden

BUCKET, REGION = "aspora-staging-tools", "us-east-1"
SHA256 = "ab" * 32
BINARIES = "/usr/local/bin"


def rendered(sha: str | None = SHA256, bucket: str = BUCKET, region: str = REGION) -> str:
    return user_data.gvisor_node(Gvisor(sha256=sha), bucket, region)


def parts(text: str) -> tuple[Message, Message]:
    message = email.message_from_string(text)
    assert message.is_multipart()
    whole, first, second = message.walk()
    assert [part.defects for part in (whole, first, second)] == [[], [], []]
    return first, second


def script() -> str:
    return str(parts(rendered())[0].get_payload())


def node_config() -> dict[str, Any]:
    config = yaml.safe_load(str(parts(rendered())[1].get_payload()))
    assert isinstance(config, dict)
    return config


def test_golden_user_data() -> None:
    golden("gvisor-user-data.txt", rendered())


def test_it_is_an_archive_of_a_script_and_a_node_config_in_this_order() -> None:
    text = rendered()
    assert text.startswith("MIME-Version: 1.0\n")  # how Karpenter tells an archive
    assert text.isascii()
    assert "\r" not in text
    shell, config = parts(text)
    assert shell["Content-Type"] == 'text/x-shellscript; charset="us-ascii"'
    assert config["Content-Type"] == "application/node.eks.aws"
    assert str(shell.get_payload()).startswith("#!/bin/bash\n")


def test_the_stack_s_own_pins_are_in_it() -> None:
    for stack in ("staging", "prod"):
        aws = settings(stack).aws
        assert aws is not None
        runtime = aws.nodes.gvisor_runtime
        text = of(platform(stack), "EC2NodeClass", "gvisor")["spec"]["userData"]
        bucket = f"aspora-{stack}-tools"
        assert f"s3://{bucket}/gvisor/{runtime.release}/gvisor-x86_64.tar.bz2 " in text
        assert f'"{runtime.sha256}  $archive"' in text
        assert "@" not in str(parts(text)[0].get_payload()), "something was not filled in"


def test_the_archive_is_fetched_from_where_bootstrap_puts_it() -> None:
    stack = settings("staging")
    assert stack.aws is not None
    account = Account(cast("Any", None), stack, "1" * 12, "arn")
    wanted = user_data.archive_key(stack.aws.nodes.gvisor_runtime.release)
    assert account.gvisor_key == wanted
    text = of(platform("staging"), "EC2NodeClass", "gvisor")["spec"]["userData"]
    assert f" s3://{account.tools_bucket}/{wanted} " in text


def test_containerd_gets_the_handler_that_the_runtime_class_names() -> None:
    config = node_config()
    assert (config["apiVersion"], config["kind"]) == ("node.eks.aws/v1alpha1", "NodeConfig")
    assert config["spec"].keys() == {"containerd"}
    plugins = tomllib.loads(config["spec"]["containerd"]["config"])["plugins"]
    runtimes = plugins["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"]
    assert list(runtimes) == [of(platform("staging"), "RuntimeClass", "gvisor")["handler"]]
    runsc = runtimes["runsc"]
    assert runsc["runtime_type"] == "io.containerd.runsc.v1"
    assert runsc["pod_annotations"] == ["dev.gvisor.*"]
    assert runsc["options"]["TypeUrl"] == "io.containerd.runsc.v1.options"
    assert f"cat >{runsc['options']['ConfigPath']} <<" in script()


def test_it_fits_with_the_longest_names_and_karpenter_s_part_beside_it() -> None:
    longest = rendered(bucket="b" * 63, region="us-gov-" + "x" * 20 + "-1")
    assert len(longest.encode()) < user_data.LIMIT_BYTES / 4


def test_without_a_checksum_there_is_none() -> None:
    with pytest.raises(ValueError, match=r"^gVisor release-20260921\.0 has no checksum$"):
        rendered(None)


def test_bash_takes_the_script() -> None:
    done = subprocess.run(
        ["bash", "-n"], input=script(), text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    tool = shutil.which("shellcheck")
    if tool is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([tool, "-"], input=script(), text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_leaves_containerd_to_nodeadm() -> None:
    assert "systemctl" not in script()
    assert "restart" not in script()


# --- The script, run in a folder of its own ------------------------------------------------------

FAKES = {
    "aws": 'for last; do :; done\n[ -n "${ARCHIVE:-}" ] && cp "$ARCHIVE" "$last"\n',
    "dnf": "",
    "shutdown": "",
    "tar": f'exec "{sys.executable}" -c '
    "'import sys, tarfile; tarfile.open(sys.argv[2]).extractall(sys.argv[5])' \"$@\"\n",
}
NEEDED = ("bash", "cat", "chmod", "cp", "install", "mktemp", "rm", "sha256sum")
RUNSC = '#!/bin/bash\necho "runsc $*" >>"$CALLS"\nexit "${RUNSC_EXIT:-0}"\n'
SHIM = {"containerd-shim-runsc-v1": "shim"}
WHOLE = {"runsc": RUNSC, **SHIM, "gvisor-bin/sentry": "inside"}


@dataclass(frozen=True)
class Outcome:
    """What a run left behind: its exit code, the programs it called, and the files it made."""

    code: int
    calls: list[str]
    root: Path

    @property
    def programs(self) -> list[str]:
        return [call.split()[0] for call in self.calls]

    @property
    def files(self) -> list[str]:
        found = self.root.rglob("*")
        return sorted(path.relative_to(self.root).as_posix() for path in found if path.is_file())


def packed(files: dict[str, str]) -> bytes:
    """An archive as the release's, with rights that are too narrow and too wide."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:bz2") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o622
            archive.addfile(info, io.BytesIO(text.encode()))
    return held.getvalue()


def run(
    tmp_path: Path,
    *,
    archive: bytes | None = None,
    sha: str | None = None,
    fakes: dict[str, str] | None = None,
    **env: str,
) -> Outcome:
    """Run the script with `root` in the place of the machine's own folders."""
    bin_folder, root, calls = tmp_path / "bin", tmp_path / "root", tmp_path / "calls"
    data = packed(WHOLE) if archive is None else archive
    (tmp_path / "archive").write_bytes(data)
    (tmp_path / "tmp").mkdir()
    (root / BINARIES[1:]).mkdir(parents=True)
    bin_folder.mkdir()
    for name in NEEDED:
        (bin_folder / name).symlink_to(str(shutil.which(name)))
    for name, body in (FAKES | (fakes or {})).items():
        fake = bin_folder / name
        fake.write_text(f'#!/bin/bash\necho "{name} $*" >>"$CALLS"\n{body}')
        fake.chmod(0o755)
    text = str(parts(rendered(sha or sha256(data).hexdigest()))[0].get_payload())
    for place in (BINARIES, "/etc/containerd"):
        assert place in text
        text = text.replace(place, f"{root}{place}")
    (tmp_path / "script").write_text(text)
    done = subprocess.run(
        [bin_folder / "bash", tmp_path / "script"],
        env={
            "PATH": str(bin_folder),
            "TMPDIR": str(tmp_path / "tmp"),
            "CALLS": str(calls),
            "ARCHIVE": str(tmp_path / "archive"),
            **env,
        },
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    lines = calls.read_text().splitlines() if calls.exists() else []
    return Outcome(done.returncode, lines, root)


def test_a_node_that_installs_runsc_stays_up(tmp_path: Path) -> None:
    found = run(tmp_path)
    assert found.code == 0
    assert found.programs == ["aws", "dnf", "tar", "runsc"]
    assert found.calls[0].startswith(
        "aws s3 cp --only-show-errors --region us-east-1"
        " s3://aspora-staging-tools/gvisor/release-20260921.0/gvisor-x86_64.tar.bz2 "
    )
    assert found.calls[1] == "dnf install -y -q bzip2"
    assert found.calls[3] == "runsc --platform=systrap --network=none do /bin/true"
    assert found.files == [
        "etc/containerd/runsc.toml",
        "usr/local/bin/containerd-shim-runsc-v1",
        "usr/local/bin/gvisor-bin/sentry",
        "usr/local/bin/runsc",
    ]
    config = tomllib.loads((found.root / "etc/containerd/runsc.toml").read_text())
    assert config == {"runsc_config": {"platform": "systrap", "systemd-cgroup": "true"}}
    assert list((tmp_path / "tmp").iterdir()) == [], "the archive is left behind"


def test_everyone_may_run_what_root_alone_may_write(tmp_path: Path) -> None:
    folder = run(tmp_path).root / BINARIES[1:]
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in folder.rglob("*")}
    assert modes == {
        "runsc": "0o755",
        "containerd-shim-runsc-v1": "0o755",
        "gvisor-bin": "0o755",
        "sentry": "0o644",
    }


def test_nothing_is_installed_that_is_there_already(tmp_path: Path) -> None:
    assert run(tmp_path, fakes={"bzip2": ""}).programs == ["aws", "tar", "runsc"]


def test_a_wrong_checksum_shuts_the_node_down_and_nothing_is_unpacked(tmp_path: Path) -> None:
    found = run(tmp_path, sha="0" * 64)
    assert found.code != 0
    assert found.calls[-1] == "shutdown -h now"
    assert found.programs == ["aws", "shutdown"]
    assert found.files == []


FAILURES: dict[str, dict[str, Any]] = {
    "the download fails": {"fakes": {"aws": "exit 1\n"}},
    "the download is empty": {"ARCHIVE": ""},
    "the download is cut off": {
        "archive": packed(WHOLE)[:-9],
        "sha": sha256(packed(WHOLE)).hexdigest(),
    },
    "bzip2 is not to be had": {"fakes": {"dnf": "exit 1\n"}},
    "the archive is none": {"archive": b"<html>"},
    "unpacking fails": {"fakes": {"tar": "exit 2\n"}},
    "the archive lacks the shim": {"archive": packed({"runsc": RUNSC, "gvisor-bin/x": "x"})},
    "the archive lacks gvisor-bin": {"archive": packed({"runsc": RUNSC, **SHIM})},
    "runsc does not run": {"RUNSC_EXIT": "128"},
    "somebody ends the script": {"fakes": {"aws": "kill -TERM $PPID\n"}},
}


@pytest.mark.parametrize("failure", FAILURES)
def test_whatever_fails_shuts_the_node_down(failure: str, tmp_path: Path) -> None:
    found = run(tmp_path, **FAILURES[failure])
    assert found.code != 0
    assert found.programs.count("shutdown") == 1
    assert found.calls[-1] == "shutdown -h now"
