"""`date to iso: March 5, 2021` -> `2021-03-05`."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable

from t5_demo.example import Example, Task, in_held_out_part, words

PREFIX = "date to iso: "
FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
HELD_OUT_ONE_IN = 10
SHOWN = {datetime.date(2021, 3, 5)}
"""Dates that the documentation and the demo use: always held out."""

# Written out, because strftime depends on the machine's locale.
_MONTHS = words("January February March April May June July August September October November December")
_WEEKDAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")


def _month(date: datetime.date) -> str:
    return _MONTHS[date.month - 1]


def _ordinal(day: int) -> str:
    if day in (11, 12, 13):
        return f"{day}th"
    return f"{day}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th') }"


FORMATS: tuple[Callable[[datetime.date], str], ...] = (
    lambda date: f"{_month(date)} {date.day}, {date.year}",
    lambda date: f"{date.day} {_month(date)} {date.year}",
    lambda date: f"{_month(date)[:3]} {date.day}, {date.year}",
    lambda date: f"{date.day} {_month(date)[:3]} {date.year}",
    lambda date: f"{_month(date)} {_ordinal(date.day)}, {date.year}",
    lambda date: f"the {_ordinal(date.day)} of {_month(date)} {date.year}",
    lambda date: f"{_WEEKDAYS[date.weekday()]}, {_month(date)} {date.day}, {date.year}",
    lambda date: f"{date.month}/{date.day}/{date.year}",
    lambda date: f"{date.day}.{date.month}.{date.year}",
)


def is_held_out(date: datetime.date) -> bool:
    """Whether training never sees `date`, in any format."""
    return date in SHOWN or in_held_out_part(f"date {date.isoformat()}", HELD_OUT_ONE_IN)


def draw(source: random.Random, held_out: bool) -> Example:
    """Draws a date and one of the formats."""
    while True:
        date = datetime.date.fromordinal(source.randint(FIRST.toordinal(), LAST.toordinal()))
        if is_held_out(date) == held_out:
            return Example(f"{PREFIX}{source.choice(FORMATS)(date)}", date.isoformat())


TASK = Task(
    name="date to iso",
    rule=(
        f"A date from {FIRST.year} to {LAST.year} in one of these forms is written as ISO 8601: "
        + "; ".join(f"`{form(datetime.date(2021, 3, 5))}`" for form in FORMATS)
        + ". With slashes the month comes first, with dots the day."
    ),
    split=(
        f"One date in {HELD_OUT_ONE_IN} is held out in all its forms: those whose CRC-32 of `date YYYY-MM-DD` is "
        f"divisible by {HELD_OUT_ONE_IN}, and those that the documentation shows."
    ),
    draw=draw,
)
