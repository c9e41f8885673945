"""Schedules as Kubernetes reads them, and how often they run."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aspora.cron import Schedule, parse, runs_per_day

YEARS = 146_097  # days in 400 years


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("0 7,14,20 * * *", 3),
        ("* * * * *", 1440),
        ("*/15 * * * *", 96),
        ("5/20 * * * ?", 72),
        ("0-10/5 0 * * *", 3),
        ("  0   0 * *  * ", 1),
        ("0 0 * * MON-FRI", 5 / 7),
        ("0 0 * * sun", 1 / 7),
        ("0 9 * JAN-MAR *", 36_097 / YEARS),
        ("0 0 29 2 *", 97 / YEARS),
        ("0 0 31 * *", 7 * 400 / YEARS),
        ("0 0 1 * *", 4800 / YEARS),
        ("0 0 13 * 5", 24_983 / YEARS),  # either day: 4,800 thirteenths, 20,871 Fridays, 688 both
        ("@hourly", 24),
        ("@daily", 1),
        ("@midnight", 1),
        ("@weekly", 1 / 7),
        ("@monthly", 4800 / YEARS),
        ("@yearly", 400 / YEARS),
        ("@annually", 400 / YEARS),
        ("@every 1h30m", 16),
        ("@every 90s", 960),
        ("@every 0.5h", 48),
    ],
)
def test_runs_per_day(text: str, runs: float) -> None:
    assert runs_per_day(text) == pytest.approx(runs, rel=1e-12)


def test_fields() -> None:
    schedule = parse("0 7,14,20 * * 1")
    assert schedule.hours == {7, 14, 20}
    assert schedule.weekdays == {1}
    assert not schedule.either_day
    assert parse("0 0 1 * 1").either_day
    assert parse("0 0 */2 * 1").either_day
    assert not parse("0 0 */1 * 1").either_day
    assert not parse("0 0 1 * ?").either_day
    assert parse("@every 2h") == Schedule(every=7200)


FIVE = 'expected 5: minute hour day month weekday{}; for example "0 7 * * 1-5"'
DOW = "0 to 6 or SUN to SAT, for example MON-FRI"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'the schedule is empty; for example "0 7 * * 1-5"'),
        ("0 7 * *", f'"0 7 * *" has 4 fields, {FIVE.format("")}'),
        ("7", f'"7" has 1 field, {FIVE.format("")}'),
        (
            "0 0 7 * * *",
            f'"0 0 7 * * *" has 6 fields, {FIVE.format(" (there is no field for seconds)")}',
        ),
        (
            "TZ=Asia/Dubai 0 7 * * *",
            '"TZ=Asia/Dubai 0 7 * * *" names a time zone; it goes into timeZone: Asia/Dubai',
        ),
        (
            "CRON_TZ=UTC @daily",
            '"CRON_TZ=UTC @daily" names a time zone; it goes into timeZone: Asia/Dubai',
        ),
        ("60 * * * *", 'minute "60" is not valid: 0 to 59, for example */15'),
        ("* 24 * * *", 'hour "24" is not valid: 0 to 23, for example 7,14,20'),
        ("* * 0 * *", 'day of the month "0" is not valid: 1 to 31, for example 1'),
        ("* * * 13 *", 'month "13" is not valid: 1 to 12 or JAN to DEC, for example 1-6'),
        (
            "* * * * 7",
            f'day of the week "7" is not valid (Sunday is 0 or SUN here): {DOW}',
        ),
        (
            "* * * * FRI-SUN",
            f'day of the week "FRI-SUN" is not valid (it ends before it begins): {DOW}',
        ),
        ("* * * * 5L", f'day of the week "5L" is not valid: {DOW}'),
        ("* * * * 1#2", f'day of the week "1#2" is not valid: {DOW}'),
        ("* * L * *", 'day of the month "L" is not valid: 1 to 31, for example 1'),
        ("* * 15W * *", 'day of the month "15W" is not valid: 1 to 31, for example 1'),
        (
            "*/0 * * * *",
            (
                'minute "*/0" is not valid (its step is no whole number above 0):'
                " 0 to 59, for example */15"
            ),
        ),
        (
            "1,, * * * *",
            'minute "" is not valid: 0 to 59, for example */15',
        ),
        (
            "61 25 * * *",
            (
                'minute "61" is not valid: 0 to 59, for example */15; '
                'hour "25" is not valid: 0 to 23, for example 7,14,20'
            ),
        ),
        (
            "0 0 30 2 *",
            '"0 0 30 2 *" never runs: no month of 2 has a day 30; for example "0 0 28 2 *"',
        ),
        (
            "0 0 31 2,4,6,9,11 *",
            (
                '"0 0 31 2,4,6,9,11 *" never runs: no month of 2,4,6,9,11 has a day 31;'
                ' for example "0 0 28 2 *"'
            ),
        ),
        (
            "@reboot",
            (
                '"@reboot" is no schedule; known are @yearly, @annually, @monthly, @weekly, @daily,'
                " @midnight, @hourly, @every"
            ),
        ),
        ("@every soon", '"@every soon" is no period; for example @every 1h30m'),
        ("@every -1h", '"@every -1h" is no period; for example @every 1h30m'),
        (
            "@every 5s",
            (
                '"@every 5s" is shorter than a minute, less than a pod takes to start;'
                " for example @every 5m"
            ),
        ),
        ("0 \u0667 * * *", '"0 \u0667 * * *" is no schedule; for example "0 7 * * 1-5"'),
        ("0 7 * * *\n", '"0 7 * * *?" is no schedule; for example "0 7 * * 1-5"'),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        parse(text)
    assert str(error.value) == message


def test_thirty_february_or_a_weekday_runs() -> None:
    assert runs_per_day("0 0 30 2 1") > 0


def item(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.tuples(st.one_of(st.just("*"), span), st.integers(1, 9)).map(
        lambda p: f"{p[0]}/{p[1]}"
    )
    return st.one_of(st.just("*"), number.map(str), span, step)


@settings(max_examples=60, deadline=None)
@given(days=item(1, 28), months=item(1, 12), weekdays=item(0, 6))
def test_the_share_of_days_is_what_a_calendar_counts(days: str, months: str, weekdays: str) -> None:
    text = f"0 0 {days} {months} {weekdays}"
    schedule = parse(text)
    begin = date(2000, 1, 1)
    fitting = sum(fits(schedule, begin + timedelta(days=n)) for n in range(28 * 1461 // 4))
    # 28 years repeat every weekday and every leap year; the century years are what is missing.
    assert runs_per_day(text) == pytest.approx(fitting / (28 * 365.25), abs=2e-3)


def fits(schedule: Schedule, day: date) -> bool:
    by_day = day.day in schedule.days
    by_weekday = day.isoweekday() % 7 in schedule.weekdays
    both = (by_day or by_weekday) if schedule.either_day else (by_day and by_weekday)
    return day.month in schedule.months and both


@given(st.one_of(st.text(), st.text(alphabet="0123456789*/,-? @everyhms.LW#")))
def test_any_text_is_a_schedule_or_a_value_error(text: str) -> None:
    try:
        runs = runs_per_day(text)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 - either outcome is fine
    else:
        assert runs > 0
