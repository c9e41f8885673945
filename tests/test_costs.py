"""What was spent: both sources joined, on recorded samples."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aspora import cli
from aspora.costs import attribution, formats, prometheus, records
from aspora.costs.attribution import IDLE_DOMAIN, Place, Row, attribute, between, skill_ids, total
from aspora.errors import AsporaError
from tests import loopback
from tests.core import repository

SAMPLES = Path(__file__).parent / "costs"
SPEND, OPENCOST = SAMPLES / "spend.jsonl", SAMPLES / "opencost.json"
IDS = {("fraud", "risk", "detect-velocity"): "fraud/detect-velocity"}
ONE, TWO = date(2026, 11, 2), date(2026, 11, 3)


def spend() -> tuple[records.SpendRecord, ...]:
    return records.spend_records(SPEND.read_text("utf-8"), "spend.jsonl")


def allocated() -> tuple[records.Allocation, ...]:
    return records.allocations(OPENCOST.read_text("utf-8"), "opencost.json")


def table(idle: attribution.Idle = "share") -> tuple[Row, ...]:
    return attribute(spend(), allocated(), IDS, idle)


def short(rows: tuple[Row, ...]) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (row.domain, row.skill, row.model, None if row.usd is None else f"{row.usd.normalize():f}")
        for row in rows
    ]


def test_the_table_of_the_samples() -> None:
    assert short(between(table(), ONE, ONE)) == [
        ("ecm", "ecm/field/my-tickets", "claude-haiku-4-5", "1.234567"),
        ("ecm", "ecm/field/my-tickets", "in-house-7b", None),
        ("ecm", "ecm/field/my-tickets", None, "0.8"),
        # A pod of fraud that calls itself ecm's is fraud's all the same.
        ("fraud", "", None, "0.04"),
        ("fraud", "fraud/detect-velocity", "claude-sonnet-4-5", "5.2"),
        ("fraud", "fraud/detect-velocity", None, "0.4"),
        ("fraud", "fraud/field/my-tickets", None, "0.02"),
        ("platform", "", None, "0.74"),
    ]
    assert short(between(table(), TWO, TWO)) == [
        (IDLE_DOMAIN, "", None, "1.2"),
        ("ecm", "ecm/field/my-tickets", "claude-haiku-4-5", "0.9"),
        ("fraud", "", "claude-haiku-4-5", "0.01"),
    ]


def test_idle_by_itself() -> None:
    rows = [row for row in table("separate") if row.model is None and row.day == ONE]
    assert {(row.domain, row.skill): row.usd for row in rows} == {
        (IDLE_DOMAIN, ""): Decimal("1.0"),
        ("ecm", "ecm/field/my-tickets"): Decimal("0.4"),
        ("fraud", ""): Decimal("0.02"),
        ("fraud", "fraud/detect-velocity"): Decimal("0.2"),
        ("fraud", "fraud/field/my-tickets"): Decimal("0.01"),
        ("platform", ""): Decimal("0.37"),
    }
    assert all(row.idle_usd == 0 for row in rows)


@pytest.mark.parametrize("idle", ["share", "separate"])
def test_nothing_is_lost_or_made_up(idle: attribution.Idle) -> None:
    found = total(table(idle))
    assert found.compute_usd == sum(each.usd for each in allocated()) == Decimal("3.2")
    assert found.model_usd == Decimal("7.344567")
    assert (found.unpriced_calls, found.unpriced_tokens) == (33, 49000)
    assert found.usd == Decimal("10.544567")


def test_what_has_no_price_is_never_zero() -> None:
    rows = {(row.day, row.skill, row.model): row for row in table()}
    nothing = rows[ONE, "ecm/field/my-tickets", "in-house-7b"]
    assert (nothing.usd, nothing.unpriced_calls, nothing.unpriced_tokens) == (None, 31, 48000)
    partly = rows[ONE, "fraud/detect-velocity", "claude-sonnet-4-5"]
    assert (partly.usd, partly.calls, partly.unpriced_calls) == (Decimal("5.2"), 97, 2)


PLACES = st.builds(lambda n: Place(ONE, "ecm", f"ecm/a/s{n}"), st.integers(0, 20))
AMOUNTS = st.decimals("0.000001", "1000", places=6)


@given(usd=st.decimals("0", "1000", places=9), weights=st.dictionaries(PLACES, AMOUNTS, min_size=1))
def test_shares_sum_to_the_whole(usd: Decimal, weights: dict[Place, Decimal]) -> None:
    shares = attribution.split(usd, weights)
    assert sum(shares.values()) == usd
    assert all(share >= 0 for share in shares.values())


def test_skills_of_the_repository_are_found_by_their_labels() -> None:
    ids = skill_ids(repository())
    assert ids["ecm", "field", "my-tickets"] == "ecm/field/my-tickets"
    assert all(found.startswith(f"{domain}/") for (domain, _, _), found in ids.items())
    assert any(found.count("/") == 1 for found in ids.values())


def test_text_for_people() -> None:
    text = formats.as_text(between(table(), ONE, ONE))
    assert text.splitlines() == [
        (
            "day         domain    skill                   model              calls  tokens"
            "                  usd"
        ),
        (
            "2026-11-02  ecm       ecm/field/my-tickets    claude-haiku-4-5     410  912000"
            "               1.2346"
        ),
        (
            "2026-11-02  ecm       ecm/field/my-tickets    in-house-7b           31   48000"
            "             unpriced"
        ),
        (
            "2026-11-02  ecm       ecm/field/my-tickets    (compute)                       "
            "               0.8000"
        ),
        (
            "2026-11-02  fraud     -                       (compute)                       "
            "               0.0400"
        ),
        (
            "2026-11-02  fraud     fraud/detect-velocity   claude-sonnet-4-5     97  801000"
            "  5.2000 + 2 unpriced"
        ),
        (
            "2026-11-02  fraud     fraud/detect-velocity   (compute)                       "
            "               0.4000"
        ),
        (
            "2026-11-02  fraud     fraud/field/my-tickets  (compute)                       "
            "               0.0200"
        ),
        (
            "2026-11-02  platform  -                       (compute)                       "
            "               0.7400"
        ),
        "",
        (
            "ecm       2.03 USD: 1.23 models, 0.80 compute; not in it: 31 calls without a price "
            "(48000 tokens)"
        ),
        (
            "fraud     5.66 USD: 5.20 models, 0.46 compute; not in it: 2 calls without a price "
            "(1000 tokens)"
        ),
        "platform  0.74 USD: 0.00 models, 0.74 compute",
        (
            "total     8.43 USD: 6.43 models, 2.00 compute; not in it: 33 calls without a price "
            "(49000 tokens)"
        ),
    ]
    assert formats.as_text(()) == "nothing was spent\n"


def test_json_and_csv_say_the_same() -> None:
    held = json.loads(formats.as_json(table()))
    lines = list(csv.DictReader(io.StringIO(formats.as_csv(table()))))
    assert len(held["rows"]) == len(lines) == 11
    assert held["rows"][1]["usd"] is None
    assert lines[1]["usd"] == ""
    assert held["rows"][0]["usd"] == lines[0]["usd"] == "1.234567"
    assert held["total"] == {
        "usd": "10.544567",
        "model_usd": "7.344567",
        "compute_usd": "3.200000",
        "unpriced_calls": 33,
        "unpriced_tokens": 49000,
    }


RECORD = {
    "key": "k",
    "domain": "ecm",
    "skill": "ecm/field/my-tickets",
    "model": "m",
    "day": "2026-11-02",
    "usd": 1,
    "tokens": 1,
    "calls": 1,
}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{]", "f: line 1: this is no JSON: Expecting property name enclosed in double quotes"),
        (json.dumps(RECORD) + "\nnope", "f: line 2: this is no JSON: Expecting value"),
        ('["x"]', "f: record 1: Input should be a valid dictionary or instance of SpendRecord"),
        (json.dumps([RECORD, RECORD | {"usd": -1}]), "f: record 2: usd: Input should be greater"),
        (json.dumps([RECORD | {"usd": "many"}]), "f: record 1: usd: Input should be a valid dec"),
        ('[{"usd": NaN}]', "f: record 1: key: Field required"),
        (json.dumps([RECORD | {"cost": 1}]), "f: record 1: cost: Extra inputs are not permitted"),
        (json.dumps([RECORD | {"day": "2.11."}]), "f: record 1: day: Input should be a valid date"),
        (json.dumps([RECORD | {"skill": "x"}]), 'f: record 1: skill: Value error, "x" is no skill'),
        (
            json.dumps([RECORD]).replace(": 1,", ": NaN,", 1),
            "f: record 1: usd: Input should be a fi",
        ),
    ],
)
def test_bad_spend_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(AsporaError) as caught:
        records.spend_records(text, "f")
    assert caught.value.message.startswith(message)


def test_money_is_read_from_its_digits() -> None:
    found = records.spend_records(json.dumps([RECORD]).replace('"usd": 1', '"usd": 0.1'), "f")
    assert found[0].usd == Decimal("0.1")


def answer(**changes: Any) -> str:
    one = {"window": {"start": "2026-11-02T00:00:00Z", "end": "2026-11-03T00:00:00Z"}}
    return json.dumps({"code": 200, "data": [{"a": one | {"totalCost": 1} | changes}]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "f: expected OpenCost's answer with a list under `data`"),
        ("[]", "f: expected OpenCost's answer with a list under `data`"),
        ("<html>", "f: line 1: this is no JSON: Expecting value"),
        ('{"code": 500, "message": "no data", "data": []}', "f: OpenCost answered 500: no data"),
        ('{"code": 200, "data": [{"a": 1}]}', "f: set 1, a: expected an allocation with a window"),
        (answer(window={"start": "x"}), "f: set 1, a: window: 'x' is no time"),
        (
            answer(window={"start": "2026-11-01T00:00:00Z", "end": "2026-11-03T00:00:00Z"}),
            "f: set 1, a: covers more than one day",
        ),
        (answer(totalCost=None), "f: set 1, a: has no cost: neither totalCost nor its parts"),
        (answer(totalCost="dear"), "f: set 1, a: totalCost: 'dear' is no amount"),
    ],
)
def test_bad_allocations_are_refused_with_their_place(text: str, message: str) -> None:
    with pytest.raises(AsporaError) as caught:
        records.allocations(text, "f")
    assert caught.value.message == message


def test_a_cost_without_its_sum_is_that_of_its_parts() -> None:
    text = answer(totalCost=None, cpuCost=0.5, ramCost=0.25, ramCostAdjustment=-0.05)
    assert records.allocations(text, "f")[0].usd == Decimal("0.70")
    assert records.allocations(answer(externalCost=0.4), "f")[0].usd == Decimal("0.6")
    assert records.allocations('{"code": 200, "data": [null]}', "f") == ()


def sample(value: str, **labels: str) -> tuple[dict[str, str], Decimal]:
    who = {"domain": "fraud", "agent_role": "risk", "skill_name": "detect-velocity"}
    return who | {"model": "m"} | labels, Decimal(value)


def test_spend_from_prometheus() -> None:
    answers = {
        "usd": [sample("4.9")],
        "calls": [
            sample("94.98", priced="true"),
            sample("2.01", priced="false"),
            sample("3", priced="false", model="in-house-7b"),
            sample("0", priced="true", model="old"),
        ],
        "tokens": [sample("801000"), sample("500", model="in-house-7b")],
    }
    found = prometheus.spend(ONE, answers, IDS)
    assert [(r.skill, r.model, r.usd, r.calls, r.tokens) for r in found] == [
        ("fraud/detect-velocity", "m", Decimal("4.9"), 95, 801000),
        ("fraud/detect-velocity", "m", None, 2, 0),
        ("fraud/detect-velocity", "in-house-7b", None, 3, 500),
    ]
    assert found[0].key == "fraud-detect-velocity"


def test_prometheus_is_asked_for_metrics_of_the_table() -> None:
    by = "domain, agent_role, skill_name, model"
    assert dict(prometheus.QUERIES) == {
        "usd": f"sum by ({by}) (increase(skill_model_cost_usd_total[1d]))",
        "calls": f"sum by ({by}, priced) (increase(skill_model_calls_total[1d]))",
        "tokens": f"sum by ({by}) (increase(skill_model_tokens_total[1d]))",
    }


# The command.


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def aspora(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def run(*args: str) -> Outcome:
        code = cli.run(["cost", *args])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert "internal error" not in err
        return Outcome(code, out, err)

    return run


def test_the_command_reads_files(aspora: Callable[..., Outcome]) -> None:
    files = ("--actual", "--spend", str(SPEND), "--allocation", str(OPENCOST))
    found = aspora(*files, "--from", "2026-11-02", "--to", "2026-11-02")
    assert found.code == 0
    assert found.out == formats.as_text(between(table(), ONE, ONE))
    assert found.err == "6 spend records, 8 allocations read; 8 rows\n"
    whole = aspora(*files, "--format", "json", "--idle", "separate")
    assert whole.out == formats.as_json(table("separate"))
    half = aspora("--actual", "--spend", str(SPEND), "--format", "csv")
    assert half.out.startswith("day,domain,skill,model,calls,tokens,usd,idle_usd,unpriced_calls,")
    assert half.err.endswith("no allocation was read: compute is not shown\n")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("--gateway", "https://127.0.0.1:8443"),
            "error: --gateway: only with --actual, which shows what was spent\n",
        ),
        (
            ("--actual",),
            (
                "error: there is nothing to read\n"
                "  name --spend FILE, --gateway URL or --prometheus URL,\n"
                "  and --allocation FILE or --opencost URL\n"
            ),
        ),
        (
            ("--actual", "--spend", str(SPEND), "--prometheus", "http://x"),
            "error: --spend and --prometheus are two sources of the same\n",
        ),
        (
            ("--actual", "--gateway", "http://127.0.0.1:9", "--prometheus", "http://x"),
            "error: --gateway and --prometheus are two sources of the same\n",
        ),
        (
            ("--actual", "--gateway", "http://127.0.0.1:9"),
            "error: --gateway needs --from and --to\n  for example --from 2026-11-01\n",
        ),
        (
            ("--actual", "--spend", str(SPEND), "--from", "2.11."),
            'error: --from: "2.11." is no date\n  for example 2026-11-01\n',
        ),
        (
            ("--actual", "--spend", str(SPEND), "--from", "2026-11-03", "--to", "2026-11-02"),
            "error: --from 2026-11-03 lies after --to 2026-11-02\n",
        ),
        (
            ("--actual", "--prometheus", "http://127.0.0.1:9"),
            "error: --prometheus needs --from and --to\n  for example --from 2026-11-01\n",
        ),
        (
            ("--actual", "--opencost", "x", "--from", "2026-01-01", "--to", "2026-11-02"),
            "error: more than 93 days at once\n  ask in parts\n",
        ),
        (
            ("--actual", "--opencost", "x", "--from", "2026-11-01", "--to", "2026-11-02"),
            'error: "x" is no address\n  for example http://localhost:9090\n',
        ),
    ],
)
def test_misuse_is_said(
    aspora: Callable[..., Outcome], args: tuple[str, ...], message: str
) -> None:
    found = aspora(*args)
    assert (found.code, found.out, found.err) == (2, "", message)


def test_a_file_that_is_not_there(aspora: Callable[..., Outcome], tmp_path: Path) -> None:
    found = aspora("--actual", "--spend", str(tmp_path / "none"))
    assert found.code == 2
    assert "does not exist" in found.err
    odd = tmp_path / "odd"
    odd.write_bytes(b"\xff\xfe")
    assert aspora("--actual", "--spend", str(odd)).err == f"error: {odd} is no UTF-8 text\n"


Answers = Callable[[str, dict[str, str]], tuple[int, str]]


class Server(loopback.Server):
    answers: Answers
    asked: list[tuple[str, dict[str, str]]]


class Handler(loopback.Handler):
    server: Server

    def do_GET(self) -> None:
        path, query = self.asked()
        self.server.asked.append((path, query))
        code, text = self.server.answers(path, query)
        self.send(code, text.encode())


@pytest.fixture
def server() -> Iterator[Server]:
    with loopback.serving(Server(Handler)) as found:
        found.asked = []
        yield found


def prometheus_says(query: str) -> str:
    name = next(name for name, text in prometheus.QUERIES.items() if text == query)
    priced = {"priced": "true"} if name == "calls" else {}
    labels, _ = sample("1", **priced)
    value = {"usd": "4.9", "calls": "95", "tokens": "800000"}[name]
    result = [{"metric": labels, "value": [1762128000, value]}]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


def test_the_command_asks_prometheus_and_opencost(
    aspora: Callable[..., Outcome], server: Server
) -> None:
    def answers(path: str, query: dict[str, str]) -> tuple[int, str]:
        if path == "/allocation/compute":
            return 200, OPENCOST.read_text("utf-8")
        return 200, prometheus_says(query["query"])

    server.answers = answers
    url = f"http://127.0.0.1:{server.server_port}"
    found = aspora(
        *("--actual", "--prometheus", url, "--opencost", url + "/", "--format", "json"),
        *("--from", "2026-11-02", "--to", "2026-11-03"),
    )
    assert found.code == 0
    rows = json.loads(found.out)["rows"]
    assert [row["usd"] for row in rows if row["model"] == "m"] == ["4.9", "4.9"]
    assert found.err == "2 spend records, 8 allocations read; 8 rows\n"
    times = [query["time"] for path, query in server.asked if path == "/api/v1/query"]
    assert times == ["2026-11-03T00:00:00Z"] * 3 + ["2026-11-04T00:00:00Z"] * 3
    assert server.asked[-1] == (
        "/allocation/compute",
        {
            "window": "2026-11-02T00:00:00Z,2026-11-04T00:00:00Z",
            "aggregate": "namespace,label:domain,label:role,label:skill",
            "step": "1d",
            "includeIdle": "true",
        },
    )


@pytest.mark.parametrize(
    ("code", "text", "message"),
    [
        (503, "starting", "{url}/api/v1/query answered 503: starting"),
        (200, "<html>", "{url}: this is no answer of Prometheus"),
        (
            200,
            '{"status": "error", "error": "too many samples"}',
            "{url}: Prometheus answered: too",
        ),
        (200, '{"status": "success"}', "{url}: this is no answer of Prometheus"),
    ],
)
def test_bad_answers_are_said(
    aspora: Callable[..., Outcome], server: Server, code: int, text: str, message: str
) -> None:
    server.answers = lambda path, query: (code, text)
    url = f"http://127.0.0.1:{server.server_port}"
    found = aspora("--actual", "--prometheus", url, "--from", "2026-11-02", "--to", "2026-11-02")
    assert found.code == 1
    assert found.err.startswith("error: " + message.format(url=url))


def test_nobody_there(aspora: Callable[..., Outcome]) -> None:
    found = aspora(
        *("--actual", "--opencost", "http://127.0.0.1:9"),
        *("--from", "2026-11-02", "--to", "2026-11-02"),
    )
    assert (found.code, found.err) == (
        1,
        (
            "error: http://127.0.0.1:9 does not answer: [Errno 111] Connection refused\n"
            "  forward its port first: kubectl port-forward -n aspora-observability …\n"
        ),
    )
