"""`aspora bootstrap`: the named secrets, whose values nobody sees."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from aspora.named_secrets import NamedSecret, named_secrets
from aspora.services.secrets import GENERATED
from infra.bootstrap.outcome import Outcome
from infra.bootstrap.secret_store import GENERATED_BYTES, ensure_secrets
from tests import account_lab as lab
from tests.account_lab import (
    ALERTING,
    ALERTING_PURPOSES,
    GATEWAY,
    OPENROUTER,
    SECRETS_KEY,
    VALUE,
    Command,
    Script,
    api,
    person,
    pipe,
    staging,
    states,
)
from tests.core import MINIMAL, domains

aws, repo, aspora, everything = lab.aws, lab.repo, lab.aspora, lab.everything

# -- secrets ------------------------------------------------------------------------------------


def entry(name: str) -> dict[str, Any]:
    return dict(api("secretsmanager").describe_secret(SecretId=name))


def value_of(name: str) -> str:
    return str(api("secretsmanager").get_secret_value(SecretId=name)["SecretString"])


def test_secrets_have_their_value_key_and_tags(everything: Callable[[], Any]) -> None:
    everything()
    assert value_of(OPENROUTER) == VALUE
    value = value_of(GATEWAY)
    assert value.startswith("sk-")
    assert len(value[3:]) == len(secrets.token_urlsafe(GENERATED_BYTES)) == 43
    for name in (OPENROUTER, GATEWAY):
        found = entry(name)
        tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
        assert tags == {
            "aspora.io/owner": "pets",
            "aspora:environment": "staging",
            "domain": "pets",
        }
        assert found["KmsKeyId"] == SECRETS_KEY
    names = [s["Name"] for s in api("secretsmanager").list_secrets()["SecretList"]]
    assert "aspora/staging/platform/database" not in names


def test_generated_values_differ(aws: Script) -> None:
    wanted = [NamedSecret(f"aspora/staging/a/{n}", "generated", "x") for n in range(5)]
    ensure_secrets(api("secretsmanager"), wanted, settings=staging(), kms_key=None, values={})
    assert len({value_of(secret.name) for secret in wanted}) == 5


def test_an_existing_value_stays_without_replace(
    everything: Callable[[], Any], aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything()
    before = value_of(GATEWAY)
    pipe(monkeypatch, json.dumps({OPENROUTER: "another", GATEWAY: "another"}).encode())
    code, out, _ = aspora("bootstrap", "--stack", "staging", "--secrets-from", "-")
    assert code == 0
    assert (
        f"kept     secret {OPENROUTER}: has a value already; --replace {OPENROUTER} gives it the"
        " new one" in out
    )
    assert (value_of(OPENROUTER), value_of(GATEWAY)) == (VALUE, before)


def test_replace_gives_a_new_value(
    everything: Callable[[], Any], aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything()
    before = value_of(GATEWAY)
    pipe(monkeypatch, json.dumps({OPENROUTER: "another"}).encode())
    code, out, _ = aspora(
        *("bootstrap", "--stack", "staging", "--secrets-from", "-"),
        *("--replace", OPENROUTER, "--replace", GATEWAY),
    )
    assert (code, states(out).count("changed")) == (0, 2)
    assert value_of(OPENROUTER) == "another"
    assert value_of(GATEWAY) not in (before, "another")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (OPENROUTER, [f"error: --replace {OPENROUTER} has no new value"]),
        (
            "aspora/staging/pets/openroute",
            [
                (
                    "error: aspora/staging/pets/openroute: there is no such secret; did you mean"
                    f' "{OPENROUTER}"?'
                )
            ],
        ),
        (VALUE, ["error: what --replace names is no name of a secret"]),
        (
            "aspora/staging/platform/database",
            [
                (
                    "error: aspora/staging/platform/database: `pulumi up` writes it, nobody gives"
                    " it a value"
                )
            ],
        ),
    ],
)
def test_a_replace_that_cannot_be(
    name: str, said: list[str], aws: Script, repo: Path, aspora: Command
) -> None:
    code, out, err = aspora("bootstrap", "--stack", "staging", "--replace", name)
    assert (code, out, err.splitlines()[:1]) == (2, [], said)
    assert aws.calls == []


def test_an_entry_without_a_value_gets_one(aws: Script, repo: Path, aspora: Command) -> None:
    api("secretsmanager").create_secret(Name=GATEWAY)
    _, out, _ = aspora("bootstrap", "--stack", "staging")
    assert f"changed  secret {GATEWAY}: pets/vet/advise's key at the model gateway" in out
    assert len(value_of(GATEWAY)) == 46


def test_a_secret_that_is_being_deleted_is_not_touched(
    everything: Callable[[], Any], aspora: Command
) -> None:
    everything()
    api("secretsmanager").delete_secret(SecretId=GATEWAY)
    code, out, _ = aspora("bootstrap", "--stack", "staging")
    assert code == 1
    assert (
        f"missing  secret {GATEWAY}: is being deleted; aws secretsmanager restore-secret"
        f" --secret-id {GATEWAY}" in out
    )


def test_secrets_that_nobody_wants_are_listed_and_stay(
    everything: Callable[[], Any], aspora: Command
) -> None:
    old = "aspora/staging/birds/openrouter"
    api("secretsmanager").create_secret(Name=old, SecretString="x")
    api("secretsmanager").create_secret(Name="aspora/prod/birds/openrouter", SecretString="x")
    code, out, _ = everything()
    assert code == 0
    assert [line for line in out if line.startswith("extra")] == [
        (
            f"extra    secret {old}: nobody wants it any more; aws secretsmanager delete-secret"
            f" --secret-id {old}"
        )
    ]
    assert value_of(old) == "x"


def test_a_secret_that_somebody_else_made_meanwhile(
    aws: Script, everything: Callable[[], Any]
) -> None:
    aws.fail("ResourceExistsException", "CreateSecret")
    code, out, _ = everything()
    assert code == 0
    assert f"found    secret {GATEWAY}: somebody else made it meanwhile" in out


def test_on_a_terminal_values_are_asked_for_and_hidden(
    aws: Script, repo: Path, aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = person(monkeypatch, hidden=f" {VALUE} ")
    _, out, err = aspora("bootstrap", "--stack", "staging")
    assert [question.strip() for question in asked] == [
        f"{OPENROUTER} (pets's key at OpenRouter), empty to skip:",
        *(f"{name} ({purpose}), empty to skip:" for name, purpose in ALERTING_PURPOSES.items()),
    ]
    assert value_of(OPENROUTER) == VALUE
    assert VALUE not in "\n".join(out) + err
    aspora("bootstrap", "--stack", "staging")
    assert len(asked) == 1 + len(ALERTING)


def test_an_empty_answer_skips(
    aws: Script, repo: Path, aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    person(monkeypatch, hidden="")
    code, out, _ = aspora("bootstrap", "--stack", "staging")
    assert code == 1
    assert f"missing  secret {OPENROUTER}: pets's key at OpenRouter: no value was given" in out


def test_an_empty_answer_to_replace_keeps_the_value(
    everything: Callable[[], Any], aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything()
    person(monkeypatch, hidden="")
    _, out, _ = aspora("bootstrap", "--stack", "staging", "--replace", OPENROUTER)
    assert f"kept     secret {OPENROUTER}: no new value given" in out
    assert value_of(OPENROUTER) == VALUE


def test_a_dry_run_asks_for_nothing(
    aws: Script, repo: Path, aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = person(monkeypatch, hidden=VALUE)
    assert aspora("bootstrap", "--stack", "staging", "--dry-run")[0] == 0
    assert asked == []


def test_the_local_platform_fills_them_without_asking(aws: Script, tmp_path: Path) -> None:
    made = staging()
    wanted = named_secrets(domains(tmp_path, MINIMAL), made)
    client = api("secretsmanager")

    def ensure() -> tuple[Outcome, ...]:
        return ensure_secrets(
            client,
            wanted,
            settings=made,
            kms_key=None,
            values={},
            fill_asked_with=lambda _: "simulated",
        )

    assert [outcome.state for outcome in ensure()] == ["made"] * (7 + len(GENERATED))
    assert value_of(OPENROUTER) == "simulated"
    assert [outcome.state for outcome in ensure()] == ["found"] * (7 + len(GENERATED))


def test_without_anybody_to_ask_nothing_is_invented(aws: Script, tmp_path: Path) -> None:
    wanted = named_secrets(domains(tmp_path, MINIMAL), staging())
    done = ensure_secrets(
        api("secretsmanager"), wanted, settings=staging(), kms_key=None, values={}
    )
    assert [outcome.state for outcome in done] == [
        *("missing", "made"),
        *["missing"] * 3,
        *["made"] * (len(GENERATED) + 2),
    ]


# -- values stay where they belong --------------------------------------------------------------


@pytest.mark.parametrize("operation", ["CreateSecret", "PutSecretValue"])
@pytest.mark.parametrize(
    "error",
    [
        lambda words: ("ValidationException", words),
        lambda words: ("AccessDeniedException", words),
        lambda words: botocore.exceptions.ParamValidationError(report=words),
    ],
    ids=["validation", "denied", "parameters"],
)
def test_an_error_that_repeats_the_value_does_not_show_it(
    operation: str,
    error: Callable[[str], Any],
    aws: Script,
    repo: Path,
    aspora: Command,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    if operation == "PutSecretValue":
        api("secretsmanager").create_secret(Name=OPENROUTER)
    made = error(f"Value '{VALUE}' at 'secretString' is no good")
    if isinstance(made, Exception):
        aws.answers[operation] = made
    else:
        aws.fail(made[0], operation, words=made[1])
    pipe(monkeypatch, json.dumps({OPENROUTER: VALUE}).encode())
    code, out, err = aspora("bootstrap", "--stack", "staging", "--secrets-from", "-")
    assert code == 1
    assert f"named secrets: secretsmanager:{operation}" in err
    assert VALUE not in "\n".join(out) + err + caplog.text


def test_no_value_is_in_any_output(
    aws: Script,
    everything: Callable[[], Any],
    aspora: Command,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    said = [everything(), everything()]
    pipe(monkeypatch, json.dumps({OPENROUTER: f"{VALUE}-2", GATEWAY: f"{VALUE}-3"}).encode())
    said.append(aspora("bootstrap", "--stack", "staging", "--secrets-from", "-", "--dry-run"))
    text = repr(said) + caplog.text
    assert VALUE not in text
    assert value_of(GATEWAY) not in text


BAD_INPUT = [
    (b"", ["error: standard input is empty"]),
    (b" \n", ["error: standard input is empty"]),
    (b"{}", ["error: the JSON object on standard input is empty"]),
    (b"[1]", ["error: standard input is a list, and no JSON object"]),
    (b'"VALUE"', ["error: standard input is text, and no JSON object"]),
    (b"null", ["error: standard input is null, and no JSON object"]),
    (b"VALUE", ["error: standard input is no JSON (line 1, column 1)"]),
    (b'{"a": \n VALUE}', ["error: standard input is no JSON (line 2, column 2)"]),
    (b"[" * 200_000, ["error: standard input is no JSON"]),
    (b'{"a": "\xff"}', ["error: standard input is not UTF-8"]),
    (
        b'{"aspora/staging/pets/openroutr": "VALUE"}',
        [
            "error: standard input holds 1 problem:",
            '  aspora/staging/pets/openroutr: there is no such secret; did you mean "OPENROUTER"?',
        ],
    ),
    (
        (
            b'{"aspora/prod/zebra/q": "VALUE", "VALUE": "OPENROUTER", "OPENROUTER": 5, "GATEWAY":'
            b' null, "aspora/staging/platform/database": "VALUE"}'
        ),
        [
            "error: standard input holds 5 problems:",
            "  aspora/prod/zebra/q: there is no such secret",
            "  the name of entry 2 is no name of a secret",
            "  OPENROUTER: expected text, found a number",
            "  GATEWAY: expected text, found null",
            "  aspora/staging/platform/database: `pulumi up` writes it, nobody gives it a value",
        ],
    ),
    (
        b'{"OPENROUTER": "VALUE", "GATEWAY": {"key": "VALUE"}, "OPENROUTER": " "}',
        [
            "error: standard input holds 3 problems:",
            "  GATEWAY: expected text, found an object",
            "  OPENROUTER: stands there twice",
            "  OPENROUTER: the value is empty",
        ],
    ),
    (
        b'{"OPENROUTER": "VALUE\\n", "GATEWAY": ["VALUE"]}',
        [
            "error: standard input holds 2 problems:",
            "  OPENROUTER: the value begins or ends with white space",
            "  GATEWAY: expected text, found a list",
        ],
    ),
    (
        b'{"OPENROUTER": true, "GATEWAY": "' + b"x" * 65537 + b'"}',
        [
            "error: standard input holds 2 problems:",
            "  OPENROUTER: expected text, found a boolean",
            "  GATEWAY: the value has more than 65536 bytes",
        ],
    ),
]
HINT = "  `aspora bootstrap --stack staging --dry-run` lists the names"


@pytest.mark.parametrize(("data", "said"), BAD_INPUT, ids=range(len(BAD_INPUT)))
def test_bad_input_is_told_whole_and_before_anything_is_made(
    data: bytes,
    said: list[str],
    aws: Script,
    repo: Path,
    aspora: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for word, text in (("VALUE", VALUE), ("OPENROUTER", OPENROUTER), ("GATEWAY", GATEWAY)):
        data = data.replace(word.encode(), text.encode())
        said = [line.replace(word, text) for line in said]
    pipe(monkeypatch, data)
    code, out, err = aspora("bootstrap", "--stack", "staging", "--secrets-from", "-")
    lines = err.splitlines()
    assert (code, out, lines[: len(said)]) == (2, [], said)
    if len(said) > 1:
        assert lines[len(said) :] == [HINT]
    assert VALUE not in err
    assert aws.calls == []


def test_a_byte_order_mark_is_no_problem(
    aws: Script, repo: Path, aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(monkeypatch, json.dumps({OPENROUTER: VALUE}).encode("utf-8-sig"))
    aspora("bootstrap", "--stack", "staging", "--secrets-from", "-")
    assert value_of(OPENROUTER) == VALUE


def test_values_are_never_taken_from_the_command_line(repo: Path, aspora: Command) -> None:
    code, out, err = aspora(
        "bootstrap", "--stack", "staging", "--secrets-from", json.dumps({OPENROUTER: VALUE})
    )
    assert (code, out) == (2, [])
    assert VALUE not in err
    assert "values come from standard input only: `--secrets-from -`" in " ".join(err.split())


def test_a_terminal_is_no_pipe(
    repo: Path, aspora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    person(monkeypatch)
    code, _, err = aspora("bootstrap", "--stack", "staging", "--secrets-from", "-")
    assert (code, err) == (
        2,
        (
            "error: --secrets-from - reads a pipe, and standard input is a terminal\n"
            "  leave it out to be asked for each value, hidden\n"
        ),
    )
