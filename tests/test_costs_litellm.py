"""LiteLLM's books as spend records, on a sample in the words of LiteLLM 1.109.1.

tests/costs/litellm.jsonl was written by the package's own response model
(SpendAnalyticsPaginatedResponse) from the uses in `SUMS`; no running LiteLLM with a database was
at hand to record it from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aspora import cli
from aspora.costs import litellm
from aspora.costs.attribution import attribute, total
from aspora.costs.records import SpendRecord
from aspora.errors import AsporaError
from aspora.prices import ModelPrice, PriceTable
from tests import loopback

SAMPLE = Path(__file__).parent / "costs/litellm.jsonl"
IDS = {
    ("ecm", "field", "my-tickets"): "ecm/field/my-tickets",
    ("fraud", "risk", "detect-velocity"): "fraud/detect-velocity",
}
MASTER = "sk-master-0123456789abcdef"
SUMS = [
    # Two pages of one day: 0.2 + 0.1 USD, 160,000 + 80,000 tokens, 60 + 30 calls.
    ("2026-11-02", "ecm", "ecm/field/my-tickets", "claude-haiku-4-5", "0.3", 240_000, 90),
    # Three calls that failed: nothing used, nothing to pay.
    ("2026-11-02", "ecm", "ecm/field/my-tickets", "claude-sonnet-4-5", "0", 0, 3),
    # LiteLLM books 0 for a model it has no price of.
    ("2026-11-02", "ecm", "ecm/field/my-tickets", "in-house-7b", None, 48_000, 31),
    # A key that is gone, name and all: the domain is in what it asked for. 0.05 USD.
    ("2026-11-02", "fraud", None, "claude-sonnet-4-5", "0.05", 12_900, 2),
    # 0.30000000000000004 with the new value of its key and 0.7 with the old one.
    ("2026-11-02", "fraud", "fraud/detect-velocity", "claude-sonnet-4-5", "1", 250_000, 40),
    ("2026-11-02", "(unknown)", None, "unknown-model-group", None, 500, 1),
    ("2026-11-03", "ecm", "ecm/field/my-tickets", "claude-haiku-4-5", "0.1", 84_000, 20),
]


def pages() -> list[Any]:
    return [json.loads(line) for line in SAMPLE.read_text("utf-8").splitlines()]


def read(text: str | None = None) -> tuple[SpendRecord, ...]:
    given = SAMPLE.read_text("utf-8") if text is None else text
    assert litellm.is_answer(given)
    return litellm.spend_of_text(given, "f", IDS)


def short(found: tuple[SpendRecord, ...]) -> list[tuple[Any, ...]]:
    return sorted(
        (
            (
                each.day.isoformat(),
                each.domain,
                each.skill,
                each.model,
                None if each.usd is None else f"{each.usd.normalize():f}",
                each.tokens,
                each.calls,
            )
            for each in found
        ),
        key=str,
    )


def by_hand() -> list[tuple[Any, ...]]:
    return sorted(SUMS, key=str)


def test_the_books_of_the_sample() -> None:
    assert short(read()) == by_hand()


def test_nothing_is_lost_between_litellms_total_and_ours() -> None:
    """0.6 and 0.85 USD are what LiteLLM says of its two pages; 96 and 64 calls."""
    said = [page["metadata"] for page in pages()]
    assert [(each["total_spend"], each["total_api_requests"]) for each in said] == [
        (0.6, 123),
        (0.85, 64),
    ]
    whole = total(attribute(read(), ()))
    assert whole.usd == Decimal("1.45")
    assert sum(each.calls for each in read()) == 123 + 64
    assert (whole.unpriced_calls, whole.unpriced_tokens) == (32, 48_500)


def test_pages_may_stand_in_one_list_and_in_any_order() -> None:
    first, second = pages()
    for text in (json.dumps([first, second]), json.dumps([second, first], indent=2)):
        assert short(read(text)) == short(read())


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ([0], "f: expected the pages 1 to 2, each once, and found 1"),
        ([0, 0], "f: expected the pages 1 to 2, each once, and found 1, 1"),
        ([0, 1, 1], "f: expected the pages 1 to 2, each once, and found 1, 2, 2"),
    ],
)
def test_a_page_that_is_missing_or_there_twice_is_refused(chosen: list[int], said: str) -> None:
    text = json.dumps([pages()[number] for number in chosen])
    with pytest.raises(AsporaError) as caught:
        read(text)
    assert caught.value.message == said


def test_a_month_without_calls_is_no_failure() -> None:
    empty = {"results": [], "metadata": {"page": 1, "total_pages": 0}}
    assert read(json.dumps(empty)) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"results": None}, "page 1: results: Input should be a valid tuple"),
        ({"results": [{"date": "2026-13-01"}]}, "page 1: results.0.date: "),
        ({"results": [{"date": "2026-11-02", "breakdown": {}}]}, ".model_groups: Field required"),
        ({"metadata": {"page": 1}}, "page 1: metadata.total_pages: Field required"),
    ],
)
def test_an_answer_of_another_shape(change: dict[str, Any], said: str) -> None:
    with pytest.raises(AsporaError) as caught:
        read(json.dumps({"results": [], "metadata": {"page": 1, "total_pages": 1}} | change))
    assert said in caught.value.message
    assert "/user/daily/activity" in caught.value.hint


@pytest.mark.parametrize("spend", ["-1", "NaN", "Infinity", '"much"'])
def test_an_amount_that_is_none(spend: str) -> None:
    text = SAMPLE.read_text("utf-8").replace('"spend":0.2,', f'"spend":{spend},')
    with pytest.raises(AsporaError, match=r"spend: Input should be"):
        read(text)


def test_our_own_records_are_no_answer_of_litellm() -> None:
    assert not litellm.is_answer((SAMPLE.parent / "spend.jsonl").read_text("utf-8"))
    assert not any(map(litellm.is_answer, ("", "[]", "{", "[" * 100_000, "1", "[1]")))


def test_a_model_that_is_free_of_charge_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    table = PriceTable("2026-11", "a test", {"in-house-7b": ModelPrice(0, 0)})
    monkeypatch.setattr(litellm, "model_prices", lambda: table)
    (row,) = (each for each in read() if each.model == "in-house-7b")
    assert row.usd == 0


# The command


class Gateway(loopback.Server):
    """Answers as LiteLLM's `/user/daily/activity` does."""

    answers: list[Any]
    asked: list[tuple[str, dict[str, str]]]


class Handler(loopback.Handler):
    server: Gateway

    def do_GET(self) -> None:
        path, query = self.asked()
        self.server.asked.append((path, query))
        known = self.headers["authorization"] == f"Bearer {MASTER}"
        if known:
            self.send(200, self.server.answers[int(query["page"]) - 1])
        else:
            self.send(401, b"")


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setenv("LITELLM_MASTER_KEY", MASTER)
    with loopback.serving(Gateway(Handler)) as server:
        server.answers, server.asked = pages(), []
        yield server


Cost = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cost(capsys: pytest.CaptureFixture[str]) -> Cost:
    def run(*args: str) -> tuple[int, str, str]:
        code = cli.run(["cost", "--actual", *args])
        out, err = capsys.readouterr()
        assert "internal error" not in err
        assert MASTER not in out + err
        return code, out, err

    return run


DAYS = ("--from", "2026-11-01", "--to", "2026-11-07")


def test_the_command_asks_the_gateway_page_by_page(gateway: Gateway, cost: Cost) -> None:
    url = f"http://127.0.0.1:{gateway.server_port}"
    code, out, err = cost("--gateway", url, *DAYS, "--format", "json")
    assert code == 0
    assert err.startswith("7 spend records, 0 allocations read; 7 rows\n")
    asked = {"start_date": "2026-11-01", "end_date": "2026-11-07", "page_size": "1000"}
    assert gateway.asked == [
        ("/user/daily/activity", asked | {"page": "1"}),
        ("/user/daily/activity", asked | {"page": "2"}),
    ]
    found = json.loads(out)
    assert found["total"]["usd"] == "1.45"
    assert found["total"]["unpriced_tokens"] == 48_500
    _, same, _ = cost("--spend", str(SAMPLE), *DAYS, "--format", "json")
    assert same == out


def test_the_table_says_unpriced(cost: Cost) -> None:
    _, out, _ = cost("--spend", str(SAMPLE))
    (row,) = (line for line in out.splitlines() if "in-house-7b" in line)
    assert row.split()[3:] == ["in-house-7b", "31", "48000", "unpriced"]
    assert "not in it: 32 calls without a price (48500 tokens)" in out


def test_days_outside_are_not_shown(cost: Cost) -> None:
    _, out, _ = cost(
        "--spend", str(SAMPLE), "--from", "2026-11-03", "--to", "2026-11-03", "--format", "json"
    )
    assert [row["usd"] for row in json.loads(out)["rows"]] == ["0.1"]


def test_an_answer_that_is_not_litellms(gateway: Gateway, cost: Cost) -> None:
    url = f"http://127.0.0.1:{gateway.server_port}"
    gateway.answers = [[]]
    code, out, err = cost("--gateway", url, *DAYS)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {url}: ")
    gateway.answers = [{"results": [], "metadata": {"page": 1, "total_pages": 1001}}]
    assert "has more than 1000 pages of spend" in cost("--gateway", url, *DAYS)[2]
    gateway.answers = [pages()[0], pages()[0]]
    assert "expected the pages 1 to 2, each once" in cost("--gateway", url, *DAYS)[2]


def test_the_master_key_goes_to_no_other_machine_in_the_clear(
    gateway: Gateway, cost: Cost, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = cost("--gateway", "http://gateway.example.com", *DAYS)
    assert (code, gateway.asked) == (2, [])
    assert "the master key would travel in the clear" in err
    monkeypatch.delenv("LITELLM_MASTER_KEY")
    url = f"http://127.0.0.1:{gateway.server_port}"
    assert cost("--gateway", url, *DAYS)[2].startswith("error: LITELLM_MASTER_KEY is not set\n")
    monkeypatch.setenv("LITELLM_MASTER_KEY", "sk-another")
    assert "refused GET /user/daily/activity: 401" in cost("--gateway", url, *DAYS)[2]


def test_a_domain_that_is_not_the_keys_is_not_believed() -> None:
    """What a key asked for is text of its caller; whose key it is is the gateway's."""
    first, second = pages()
    groups = first["results"][0]["breakdown"]["model_groups"]
    groups["fraud/claude-haiku-4-5"] = groups.pop("ecm/claude-haiku-4-5")
    found = [each for each in read(json.dumps([first, second])) if each.day == date(2026, 11, 3)]
    assert [(each.domain, each.model) for each in found] == [("ecm", "fraud/claude-haiku-4-5")]
