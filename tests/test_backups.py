"""Backups: what is promised is rendered, and each may write where it belongs and nowhere else."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aspora.cron import runs_per_day
from aspora.gateways import pins
from aspora.render import Object, mysql
from aspora.services.secrets import FILLED
from aspora.services.stores import MYSQL_BACKUP, STORES
from tests.core import ROOT, platform, settings
from tests.runbook_lab import resources

STACKS = ("staging", "prod")


def cron_jobs(stack: str) -> dict[str, Object]:
    return {o["metadata"]["name"]: o for o in platform(stack).stores if o["kind"] == "CronJob"}


def pod(stack: str) -> Any:
    job = cron_jobs(stack)[MYSQL_BACKUP]["spec"]["jobTemplate"]["spec"]
    return job["template"]["spec"]


def test_every_store_is_backed_up_or_says_why_not() -> None:
    for row in STORES:
        assert "not yet" not in row.backed_up.lower()
        if row.backed_up.startswith("not backed up"):
            assert row.backed_up.partition("(decision 43): ")[2], row
    named = {name for row in STORES for name in re.findall(r"CronJob `([\w-]+)`", row.backed_up)}
    assert named == set(cron_jobs("prod")) == {"clickhouse-backup", "opik-mysql-backup"}


def test_each_has_a_page_by_which_it_is_restored() -> None:
    for row in STORES:
        if "CronJob" in row.backed_up:
            assert (ROOT / row.runbook).is_file(), row


@pytest.mark.parametrize("stack", STACKS)
def test_they_run_as_often_as_they_say_and_one_at_a_time(stack: str) -> None:
    found = {name: job["spec"] for name, job in cron_jobs(stack).items()}
    assert {spec["concurrencyPolicy"] for spec in found.values()} == {"Forbid"}
    assert {spec["timeZone"] for spec in found.values()} == {"Etc/UTC"}
    assert runs_per_day(found["opik-mysql-backup"]["schedule"]) == 1
    assert round(7 * runs_per_day(found["clickhouse-backup"]["schedule"]), 6) == 1


@pytest.mark.parametrize("stack", STACKS)
def test_a_dump_lands_where_its_role_may_write_and_where_it_expires(stack: str) -> None:
    """One prefix, three times: in the command, in the role, in the bucket's rules."""
    command = pod(stack)["containers"][0]["command"]
    place = command[-1].removeprefix("s3://")
    cluster = settings(stack).cluster.name
    found = [r for r in resources(stack) if r.name == f"{cluster}-{MYSQL_BACKUP}"]
    (policy,) = [r.inputs["policy"] for r in found if r.type.endswith(":RolePolicy")]
    objects, _ = json.loads(policy)["Statement"]
    assert objects["Action"] == ["s3:PutObject", "s3:AbortMultipartUpload"]
    assert objects["Resource"] == [f"arn:aws:s3:::{place}*"]
    (association,) = [r.inputs for r in found if r.type.endswith(":PodIdentityAssociation")]
    assert association["serviceAccount"] == pod(stack)["serviceAccountName"]
    bucket, _, prefix = place.partition("/")
    rules = [
        rule
        for r in resources(stack)
        if r.type.endswith(":BucketLifecycleConfiguration") and r.name == bucket
        for rule in r.inputs["rules"]
    ]
    (mine,) = [rule for rule in rules if rule.get("filter", {}).get("prefix") == prefix]
    assert mine["expiration"] == {"days": 35}


def test_no_password_is_an_argument_or_a_variable() -> None:
    found = pod("prod")
    for container in (*found["initContainers"], *found["containers"]):
        assert "secretKeyRef" not in json.dumps(container)
        assert "password" not in " ".join(container["command"]).lower()
    (login,) = [volume for volume in found["volumes"] if volume["name"] == "login"]
    (filled,) = [each for each in FILLED if each.name == login["secret"]["secretName"]]
    (item,) = login["secret"]["items"]
    assert 'password="{{ .opik }}"' in filled.data[item["key"]]
    assert f"--defaults-extra-file={mysql.LOGIN_PATH}/{item['path']} " in mysql.DUMP
    # The one that sends sees the dump and no password.
    mounts = {mount["name"] for mount in found["containers"][0]["volumeMounts"]}
    assert mounts == {"backup", "tmp"}


def test_the_program_that_sends_is_pinned_and_prod_asks_for_its_digest() -> None:
    assert pod("prod")["containers"][0]["image"] == pins.AWS_CLI.image
    assert pins.AWS_CLI in pins.unverified()


# -- the script, with a program in mysqldump's place ----------------------------------------------


def dump(folder: Path, body: str) -> tuple[int, list[str]]:
    """The script's exit code, and what then lies in the folder that is sent."""
    for name in ("bin", "backup"):
        (folder / name).mkdir()
    program = folder / "bin/mysqldump"
    program.write_text(f"#!/bin/bash\n{body}\n")
    program.chmod(0o755)
    (shell,) = pod("prod")["initContainers"]
    *call, script = shell["command"]
    done = subprocess.run(
        [*call, script.replace(mysql.DUMP_PATH, str(folder / "backup"))],
        check=False,
        env={"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
    )
    return done.returncode, sorted(path.name for path in (folder / "backup").iterdir())


def test_a_whole_dump_is_called_by_its_day(tmp_path: Path) -> None:
    code, files = dump(tmp_path, 'printf "%s\\n" "$@"')
    assert code == 0
    assert len(files) == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\.sql\.gz", files[0])
    words = gzip.decompress((tmp_path / "backup" / files[0]).read_bytes()).decode().split()
    assert words[0] == "--defaults-extra-file=/etc/mysql-login/client.cnf"  # it has to be the first
    assert {"--single-transaction", "--host=opik-mysql", "opik"} <= set(words)


def test_half_a_dump_is_not_sent(tmp_path: Path) -> None:
    code, files = dump(tmp_path, "echo half; exit 2")
    assert code == 2
    assert not [name for name in files if name.endswith(".sql.gz")]
