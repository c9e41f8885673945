"""The Job that makes the services' databases: its log-in, and its SQL on a real PostgreSQL."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from aspora.cli import run
from aspora.postgres_login import passfile, verifier
from aspora.render import Object, postgres
from aspora.services.flows import EDGES, seen
from aspora.services.secrets import FILLED
from aspora.services.stores import BY_PASSWORD, POSTGRES_DATABASES, POSTGRES_JOB
from tests.core import platform, settings
from tests.runbook_lab import resources, the

STACKS = ("staging", "prod")
HARD = "p:w\\d' %$\"; DROP"
"""A password with what shells, SQL and password files read."""


def job(stack: str = "prod") -> Object:
    (found,) = [o for o in platform(stack).databases if o["kind"] == "Job"]
    return found


def pod(stack: str = "prod") -> Any:
    return job(stack)["spec"]["template"]["spec"]


# -- what is rendered -----------------------------------------------------------------------------


def test_where_no_rds_is_there_is_nothing_to_make() -> None:
    assert platform("local").databases == ()


def test_no_password_stands_in_an_argument_a_variable_or_the_statements() -> None:
    for step in (*pod()["initContainers"], *pod()["containers"]):
        references = [env["valueFrom"]["secretKeyRef"] for env in step["env"] if "valueFrom" in env]
        assert {each["key"] for each in references} <= {"host", "port"}
        assert "PGPASSWORD" not in {env["name"] for env in step["env"]}
    # The step that speaks to the server sees verifiers, not passwords.
    mounts = {mount["name"] for mount in pod()["containers"][0]["volumeMounts"]}
    assert mounts == {"login", "tmp", "sql"}
    (login,) = [volume for volume in pod()["volumes"] if volume["name"] == "login"]
    assert login["emptyDir"]["medium"] == "Memory"


def test_the_secret_holds_the_users_passwords_and_only_the_name_of_the_administrators() -> None:
    (filled,) = [each for each in FILLED if each.name == POSTGRES_JOB]
    assert set(filled.reads) == {*BY_PASSWORD, "host", "port", "admin-secret"}
    for user in BY_PASSWORD:
        (other,) = [each for each in FILLED if each.name == user]
        assert other.reads["database"] == filled.reads[user]
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    assert volumes["secrets"]["secret"]["secretName"] == filled.name


def test_another_text_or_another_image_is_another_job(monkeypatch: pytest.MonkeyPatch) -> None:
    before = job()["metadata"]["name"]
    assert before == job("prod")["metadata"]["name"]
    monkeypatch.setattr(postgres, "POSTGRES_DATABASES", ("grafana",))
    after = [o for o in postgres.objects(settings("prod")) if o["kind"] == "Job"]
    assert after[0]["metadata"]["name"] != before


def test_a_deployment_waits_for_it() -> None:
    assert job()["metadata"]["annotations"] == {"pulumi.com/timeoutSeconds": "900"}


def test_it_reaches_the_databases_aws_and_its_credentials_and_nobody_reaches_it() -> None:
    pods = seen(POSTGRES_JOB)
    label = pods.label[1]
    assert job()["spec"]["template"]["metadata"]["labels"][pods.label[0]] == label
    assert {(edge.to.shown, edge.ports[0][1]) for edge in EDGES if edge.source == pods} == {
        ("network.databaseCidrs", 5432),
        ("network.endpointCidrs", 443),
        ("169.254.170.23/32 (EKS Pod Identity agent)", 80),
    }
    assert not [edge for edge in EDGES if edge.to == pods]


@pytest.mark.parametrize("stack", STACKS)
def test_its_role_reads_one_secret_and_logs_in_as_the_administrator(stack: str) -> None:
    cluster = settings(stack).cluster.name
    found = [r for r in resources(stack) if r.name == f"{cluster}-{POSTGRES_JOB}"]
    (policy,) = [r.inputs["policy"] for r in found if r.type.endswith(":RolePolicy")]
    secret, key = json.loads(policy)["Statement"]
    assert secret["Action"] == ["secretsmanager:GetSecretValue"]
    (arn,) = secret["Resource"]
    assert arn.rpartition(":")[2].startswith("rds!db-")
    assert key["Action"] == ["kms:Decrypt"]
    assert key["Condition"]["StringEquals"]["kms:ViaService"].startswith("secretsmanager.")
    (association,) = [r.inputs for r in found if r.type.endswith(":PodIdentityAssociation")]
    assert association["serviceAccount"] == pod(stack)["serviceAccountName"]
    env = {each["name"]: each.get("value") for each in pod(stack)["containers"][0]["env"]}
    instance = the(stack, "Instance")
    assert (env["PGUSER"], env["PGDATABASE"]) == (instance["username"], instance["dbName"])


# -- what psql logs in with -----------------------------------------------------------------------


def test_a_verifier_is_the_one_of_the_rfc() -> None:
    """RFC 7677, section 3: its salt and its count; the server's signature comes out as there."""
    import hmac
    from base64 import b64decode

    text = verifier("pencil", b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    head, keys = text.rsplit("$", 1)
    assert head == "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
    server = b64decode(keys.partition(":")[2])
    said = (
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    signature = hmac.digest(server, said, "sha256")
    assert signature == b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_what_a_password_file_reads_is_escaped() -> None:
    assert passfile("db", "5432", "me", "a:b\\c") == "db:5432:*:me:a\\:b\\\\c\n"


@dataclass
class Folders:
    """What the first step finds, and where it writes."""

    secrets: Path
    login: Path
    region: str = "us-east-1"
    admin: dict[str, str] = field(
        default_factory=lambda: {"username": "aspora_admin", "password": HARD}
    )

    def fill(self, host: str = "127.0.0.1", port: str = "5432", **more: str) -> None:
        values = {"host": host, "port": port, **dict.fromkeys(BY_PASSWORD, "gen-erated_1"), **more}
        for name, text in values.items():
            (self.secrets / name).write_text(text)

    def log_in(self) -> int:
        """As the Job calls it, with moto as AWS."""
        with mock_aws():
            client = boto3.client("secretsmanager", region_name=self.region)
            made = client.create_secret(Name="rds!db-0", SecretString=json.dumps(self.admin))
            (self.secrets / "admin-secret").write_text(made["ARN"])
            (step,) = pod()["initContainers"]
            places = {
                postgres.SECRETS_PATH: str(self.secrets),
                postgres.LOGIN_PATH: str(self.login),
            }
            return run([places.get(word, word) for word in step["command"][1:]])


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    found = Folders(tmp_path / "secrets", tmp_path / "login")
    found.secrets.mkdir()
    found.login.mkdir()
    return found


def test_files_are_the_users_alone_and_nothing_is_shown(
    folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    folders.fill()
    assert folders.log_in() == 0
    files = {path.name: path for path in folders.login.iterdir()}
    assert set(files) == {"passfile", *(f"{user}.verifier" for user in BY_PASSWORD)}
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "3 files written\n"
    assert folders.log_in() == 0  # what lies there is replaced


def test_a_missing_value_is_told_before_aws_is_asked(
    folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    folders.fill(langfuse="")
    (folders.secrets / "host").unlink()
    assert folders.log_in() == 2
    assert "has no value for host, langfuse" in capsys.readouterr().err
    assert list(folders.login.iterdir()) == []


def test_a_secret_of_another_kind_is_told_and_not_shown(
    folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    folders.fill()
    folders.admin = {"token": "hunter2"}
    assert folders.log_in() == 1
    said = capsys.readouterr().err
    assert "holds no user name and password" in said
    assert "hunter2" not in said


# -- on a real PostgreSQL -------------------------------------------------------------------------


def programs() -> Path | None:
    """The folder of the newest server on this machine: PG_BIN, Debian's, or the one on PATH."""
    if os.environ.get("PG_BIN"):
        return Path(os.environ["PG_BIN"])
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = str(known[-1]) if known else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


BIN = programs()
ROOT_IS = os.geteuid() == 0
needs_postgres = pytest.mark.skipif(BIN is None, reason="no PostgreSQL server on this machine")


@dataclass
class Server:
    """A server that asks for passwords, whose administrator is no superuser, as RDS's is none."""

    folder: Path
    port: int
    user: str | None

    def call(self, program: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        assert BIN
        return subprocess.run(
            [BIN / program, *words],
            check=False,
            capture_output=True,
            text=True,
            user=self.user,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", **env},
        )

    def psql(self, who: str, database: str, text: str, password: str = "") -> str:
        """The answer, or the error."""
        done = self.call(
            "psql",
            *("--no-psqlrc", "-At", "-h", "127.0.0.1", "-p", str(self.port), "-U", who),
            *("-d", database, "-v", "ON_ERROR_STOP=1", "-c", text),
            PGPASSWORD=password,
        )
        return (done.stdout or done.stderr).strip()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # The server refuses to be root's, and its user cannot enter root's folders.
    user = "nobody" if ROOT_IS else None
    with tempfile.TemporaryDirectory(prefix="aspora-pg-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found = Server(Path(folder), probe.getsockname()[1], user)
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        probe.close()
        data = f"{folder}/data"
        (Path(folder) / "first").write_text(HARD)
        (Path(folder) / "first").chmod(0o644)
        words = ("-A", "scram-sha-256", "--pwfile", f"{folder}/first", "-U", "super", "-E", "UTF8")
        done = found.call("initdb", "-D", data, *words)
        assert done.returncode == 0, done.stderr
        options = (
            f"-p {found.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        )
        options += " -c log_statement=all -c fsync=off"
        started = found.call(
            "pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start"
        )
        assert started.returncode == 0, started.stderr
        kept = verifier(HARD, b"0123456789abcdef")
        try:
            for text in (
                "CREATE ROLE rds_iam",
                f"CREATE ROLE aspora_admin LOGIN CREATEROLE CREATEDB PASSWORD '{kept}'",
                "GRANT rds_iam TO aspora_admin WITH ADMIN OPTION",
                "CREATE DATABASE aspora OWNER aspora_admin",
            ):
                assert found.psql("super", "postgres", text, HARD).startswith(("CREATE", "GRANT"))
            yield found
        finally:
            found.call("pg_ctl", "-D", data, "-m", "immediate", "stop")


def apply(server: Server, folders: Folders, **passwords: str) -> subprocess.CompletedProcess[str]:
    """Both steps of the Job, as they are rendered, on this machine."""
    folders.fill(port=str(server.port), **passwords)
    assert folders.log_in() == 0
    here = server.folder / "login"
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(folders.login, here)
    if server.user:
        for path in (here, *here.iterdir()):
            os.chown(path, pwd.getpwnam(server.user).pw_uid, -1)
    (config,) = [o for o in platform("prod").databases if o["kind"] == "ConfigMap"]
    text = config["data"]["databases.sql"].replace(postgres.LOGIN_PATH, str(here))
    (server.folder / "databases.sql").write_text(text)
    (server.folder / "databases.sql").chmod(0o644)
    (step,) = pod()["containers"]
    words = [word.replace(postgres.SQL_PATH, str(server.folder)) for word in step["command"][1:]]
    env = {each["name"]: each.get("value", "") for each in step["env"]}
    env |= {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "HOME": str(server.folder)}
    env |= {"PGSSLMODE": "prefer", "PGPASSFILE": f"{here}/passfile"}  # no certificate here
    return server.call("psql", *words, **env)


STATE = (
    "SELECT datname, pg_get_userbyid(datdba), datacl::text FROM pg_database "
    "WHERE datname NOT LIKE 'template%' ORDER BY 1"
)


@needs_postgres
def test_databases_and_users_are_made_once_and_the_second_time_nothing_changes(
    server: Server, folders: Folders
) -> None:
    done = apply(server, folders)
    assert done.returncode == 0, done.stderr
    before = server.psql("super", "postgres", STATE, HARD)
    again = apply(server, folders)
    assert again.returncode == 0, again.stderr
    assert server.psql("super", "postgres", STATE, HARD) == before
    owners = [tuple(line.split("|")[:2]) for line in before.splitlines()]
    assert {(name, name) for name in POSTGRES_DATABASES} <= set(owners)


@needs_postgres
def test_a_user_enters_its_own_database_and_no_other(server: Server, folders: Folders) -> None:
    assert apply(server, folders).returncode == 0
    mine = server.psql("grafana", "grafana", "CREATE TABLE seen (id int)", "gen-erated_1")
    assert mine in ("CREATE TABLE", "")
    for other in ("langfuse", "model_gateway", "phoenix"):
        said = server.psql("grafana", other, "SELECT 1", "gen-erated_1")
        assert "permission denied for database" in said, said
    wrong = server.psql("langfuse", "langfuse", "SELECT 1", "another")
    assert "password authentication failed" in wrong
    server.psql("grafana", "grafana", "DROP TABLE seen", "gen-erated_1")


@needs_postgres
def test_users_by_token_have_no_password_and_the_right_to_come_by_token(
    server: Server, folders: Folders
) -> None:
    assert apply(server, folders).returncode == 0
    for user in set(POSTGRES_DATABASES) - set(BY_PASSWORD):
        query = f"SELECT pg_has_role('{user}', 'rds_iam', 'MEMBER'), rolpassword IS NULL FROM"
        said = server.psql("super", "postgres", f"{query} pg_authid WHERE rolname='{user}'", HARD)
        assert said == "t|t"
    for user in POSTGRES_DATABASES:
        rights = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
        query = f"SELECT {rights} FROM pg_roles WHERE rolname = '{user}'"
        assert server.psql("super", "postgres", query, HARD) == "f"


@needs_postgres
def test_a_new_password_holds_and_stands_in_no_log(server: Server, folders: Folders) -> None:
    """Whatever it is made of: nothing of it is read by a shell or as SQL."""
    strange = "x'; DROP DATABASE langfuse; -- `id` $(id) \\ :admin %"
    assert apply(server, folders, langfuse=strange).returncode == 0
    assert server.psql("langfuse", "langfuse", "SELECT 1", strange) == "1"
    assert "failed" in server.psql("langfuse", "langfuse", "SELECT 1", "gen-erated_1")
    log = (server.folder / "log").read_text()
    assert "ALTER ROLE langfuse" in log
    assert "DROP DATABASE" not in log
    assert HARD not in log


@needs_postgres
def test_without_a_verifier_nobody_s_password_is_emptied(
    server: Server, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert apply(server, folders).returncode == 0
    monkeypatch.setattr(postgres, "LOGIN_PATH", str(server.folder / "nowhere"))
    (server.folder / "databases.sql").write_text(postgres.sql())
    (step,) = pod()["containers"]
    env = {each["name"]: each.get("value", "") for each in step["env"]}
    env |= {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGSSLMODE": "prefer"}
    env |= {"PGPASSFILE": str(server.folder / "login/passfile")}
    words = ("--set=ON_ERROR_STOP=1", "--no-psqlrc", f"--file={server.folder}/databases.sql")
    done = server.call("psql", *words, **env)
    assert done.returncode == 3
    assert server.psql("grafana", "grafana", "SELECT 1", "gen-erated_1") == "1"
