"""Schedules as Kubernetes CronJobs accept them: five fields, an `@` word, or `@every 1h30m`.

The dialect is robfig/cron's standard parser, which Kubernetes uses: Sunday is 0 and never 7,
and there is no field for seconds and no L, W or #. The time zone is a field of its own in a
CronJob, so a `TZ=` prefix is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

EXAMPLE = '"0 7 * * 1-5"'

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_UNITS = {"h": 3600, "m": 60, "s": 1}
_SECONDS_A_DAY = 86_400
_MAX_TEXT = 400


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...]
    example: str

    @property
    def allowed(self) -> str:
        """The valid range, in words."""
        names = f" or {self.names[0].upper()} to {self.names[-1].upper()}" if self.names else ""
        return f"{self.low} to {self.high}{names}"


_FIELDS = (
    _Field("minute", 0, 59, (), "*/15"),
    _Field("hour", 0, 23, (), "7,14,20"),
    _Field("day of the month", 1, 31, (), "1"),
    _Field("month", 1, 12, _MONTHS, "1-6"),
    _Field("day of the week", 0, 6, _WEEKDAYS, "MON-FRI"),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a CronJob runs: the values of each field, or a fixed period when `every` is not 0.

    With `either_day` a day counts when the day of the month or the weekday fits, which is the
    rule when both fields are restricted; otherwise both must fit.
    """

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    either_day: bool = False
    every: int = 0
    """Seconds between two runs."""


@lru_cache(maxsize=1024)
def parse(text: str) -> Schedule:
    """Read a schedule; a ValueError names every wrong field, its range and an example."""
    _refuse_foreign(text)
    if text.startswith("@every"):
        return Schedule(every=_period(text))
    if text.startswith("@"):
        if text not in _WORDS:
            raise ValueError(f"{_show(text)} is no schedule; known are {', '.join(_WORDS)}, @every")
        text = _WORDS[text]
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(
            f"{_show(text)} has {len(parts)} field{'' if len(parts) == 1 else 's'}, expected 5: "
            f"minute hour day month weekday{_too_many(parts)}; for example {EXAMPLE}"
        )
    return _from_fields(text, parts)


def runs_per_day(schedule: str) -> float:
    """How often a schedule runs on a mean day of the Gregorian calendar's 400 years.

    `0 7,14,20 * * *` is 3.0, `0 0 * * 1-5` is 5/7, `0 0 29 2 *` is 97/146097.
    """
    parsed = parse(schedule)
    if parsed.every:
        return _SECONDS_A_DAY / parsed.every
    return float(len(parsed.minutes) * len(parsed.hours) * _share_of_days(parsed))


def _refuse_foreign(text: str) -> None:
    if not text.strip():
        raise ValueError(f"the schedule is empty; for example {EXAMPLE}")
    if not (text.isascii() and text.isprintable()) or len(text) > _MAX_TEXT:
        raise ValueError(f"{_show(text)} is no schedule; for example {EXAMPLE}")
    if text.startswith(("TZ=", "CRON_TZ=")):
        raise ValueError(f"{_show(text)} names a time zone; it goes into timeZone: Asia/Dubai")


def _show(text: str) -> str:
    cut = text if len(text) <= 80 else text[:77] + "..."
    return '"' + "".join(c if c.isprintable() else "?" for c in cut) + '"'


def _too_many(parts: list[str]) -> str:
    return " (there is no field for seconds)" if len(parts) == 6 else ""


def _from_fields(text: str, parts: list[str]) -> Schedule:
    values: list[frozenset[int]] = []
    wrong: list[str] = []
    for field, part in zip(_FIELDS, parts, strict=True):
        try:
            values.append(_values(field, part))
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("; ".join(wrong))
    minutes, hours, days, months, weekdays = values
    either = not (_is_star(parts[2]) or _is_star(parts[4]))
    if not either and all(min(days) > _MONTH_DAYS[month - 1] for month in months):
        raise ValueError(
            f"{_show(text)} never runs: no month of {parts[3]} has a day {min(days)}; "
            'for example "0 0 28 2 *"'
        )
    return Schedule(minutes, hours, days, months, weekdays, either)


def _is_star(part: str) -> bool:
    """Whether the field counts as left open; `*/2` restricts, `*/1` does not."""
    return any(item in {"*", "?", "*/1", "?/1"} for item in part.split(","))


def _values(field: _Field, part: str) -> frozenset[int]:
    values: set[int] = set()
    for item in part.split(","):
        values.update(_item(field, item))
    return frozenset(values)


def _item(field: _Field, item: str) -> range:
    span, slash, step_text = item.partition("/")
    step = 1
    if slash:
        if not re.fullmatch(r"[0-9]{1,4}", step_text) or int(step_text) == 0:
            raise _wrong(field, item, "its step is no whole number above 0")
        step = int(step_text)
    if span in {"*", "?"}:
        return range(field.low, field.high + 1, step)
    first, dash, last = span.partition("-")
    low = _number(field, item, first)
    last_number = field.high if slash else low
    high = _number(field, item, last) if dash else last_number
    if low > high:
        raise _wrong(field, item, "it ends before it begins")
    return range(low, high + 1, step)


def _number(field: _Field, item: str, word: str) -> int:
    if word.lower() in field.names:
        return field.names.index(word.lower()) + field.low
    value = int(word) if re.fullmatch(r"[0-9]{1,4}", word) else -1
    if field.low <= value <= field.high:
        return value
    if value == 7 and field.high == 6:
        raise _wrong(field, item, "Sunday is 0 or SUN here")
    raise _wrong(field, item, "")


def _wrong(field: _Field, item: str, why: str) -> ValueError:
    reason = f" ({why})" if why else ""
    return ValueError(
        f"{field.name} {_show(item)} is not valid{reason}: "
        f"{field.allowed}, for example {field.example}"
    )


def _period(text: str) -> int:
    """Seconds of `@every 1h30m`; parts of a second are dropped, as robfig/cron does."""
    match = re.fullmatch(r"@every +((?:[0-9]{1,6}(?:\.[0-9]{1,6})?[hms])+)", text)
    if match is None:
        raise ValueError(f"{_show(text)} is no period; for example @every 1h30m")
    parts = re.findall(r"([0-9.]+)([hms])", match[1])
    seconds = sum(Fraction(number) * _UNITS[unit] for number, unit in parts)
    if seconds < 60:
        raise ValueError(
            f"{_show(text)} is shorter than a minute, less than a pod takes to start; "
            "for example @every 5m"
        )
    return int(seconds)


def _share_of_days(schedule: Schedule) -> Fraction:
    if len(schedule.days) == 31 and len(schedule.months) == 12 and not schedule.either_day:
        return Fraction(len(schedule.weekdays), 7)
    fitting = 0
    for (month, length, first), count in _month_shapes().items():
        if month in schedule.months:
            fitting += count * sum(_fits(schedule, day, first) for day in range(1, length + 1))
    return Fraction(fitting, 146_097)


def _fits(schedule: Schedule, day: int, first_weekday: int) -> bool:
    by_day = day in schedule.days
    by_weekday = (first_weekday + day - 1) % 7 in schedule.weekdays
    return (by_day or by_weekday) if schedule.either_day else (by_day and by_weekday)


@lru_cache(maxsize=1)
def _month_shapes() -> dict[tuple[int, int, int], int]:
    """(month, days in it, weekday of its first) and how often it occurs in 400 years."""
    shapes: dict[tuple[int, int, int], int] = {}
    weekday = 6  # 1 January 2000 was a Saturday
    for year in range(2000, 2400):
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        for month, longest in enumerate(_MONTH_DAYS, 1):
            length = longest - 1 if month == 2 and not leap else longest
            shape = (month, length, weekday)
            shapes[shape] = shapes.get(shape, 0) + 1
            weekday = (weekday + length) % 7
    return shapes
