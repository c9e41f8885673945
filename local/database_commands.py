"""`aspora database`: what the Job needs that makes the databases of the platform's services."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from aspora import postgres_login
from aspora.errors import EnvironmentFailure, UsageError
from aspora.services.stores import BY_PASSWORD
from infra.aws_session import Aws, call

PLACE = ("host", "port", "admin-secret")
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group(
    epilog="""\b
Examples:
  aspora database login --region us-east-1 --secrets DIR --to DIR
"""
)
def database() -> None:
    """The platform's own databases in RDS."""


@database.command(
    epilog="""\b
Examples:
  aspora database login --region us-east-1 --secrets DIR --to DIR
"""
)
@click.option("--region", required=True, metavar="REGION", help="Where RDS is.")
@click.option(
    "--secrets",
    "folder",
    required=True,
    type=FOLDER,
    metavar="DIR",
    help="Files host, port and admin-secret, and one with the password of each user.",
)
@click.option("--to", "target", required=True, type=FOLDER, metavar="DIR", help="Where to write.")
def login(region: str, folder: Path, target: Path) -> int:
    """Write what psql logs in with: RDS's administrator and the users' verifiers.

    The administrator's password comes from RDS's own secret and is shown nowhere. `passfile` is a
    PGPASSFILE; `<user>.verifier` is what PostgreSQL keeps of a user's password.
    """
    values = _read(folder)
    user, password = _administrator(region, values["admin-secret"])
    files = {
        "passfile": postgres_login.passfile(values["host"], values["port"], user, password),
        **{
            f"{name}.verifier": postgres_login.verifier(
                values[name], os.urandom(postgres_login.SALT_BYTES)
            )
            for name in BY_PASSWORD
        },
    }
    for name, text in files.items():
        _write(target / name, text)
    click.echo(f"{len(files)} files written", err=True)
    return 0


def _read(folder: Path) -> dict[str, str]:
    """Every value; one that is missing stops everything before AWS is asked."""
    wanted = (*PLACE, *BY_PASSWORD)
    found = {
        name: (folder / name).read_text("utf-8").strip()
        for name in wanted
        if (folder / name).is_file()
    }
    missing = [name for name in wanted if not found.get(name)]
    if missing:
        raise UsageError(
            f"{folder} has no value for {', '.join(missing)}",
            hint="`aspora bootstrap` makes passwords, `pulumi up` the rest; External Secrets brings"
            " them here",
        )
    return found


def _administrator(region: str, secret: str) -> tuple[str, str]:
    """Name and password, as RDS keeps them."""
    client = Aws(region).client("secretsmanager")
    text = call(client, "get_secret_value", secret=True, SecretId=secret)["SecretString"]
    try:
        held = json.loads(text)
        return str(held["username"]), str(held["password"])
    except (ValueError, KeyError, TypeError):
        raise EnvironmentFailure(
            f"{secret} holds no user name and password",
            hint="it is to be the secret that RDS keeps of its administrator: MasterUserSecret",
        ) from None


def _write(path: Path, text: str) -> None:
    """For this user alone, from the first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
