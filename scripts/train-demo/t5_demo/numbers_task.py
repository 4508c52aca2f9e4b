"""`spell number: 48213` -> `forty-eight thousand two hundred thirteen`."""

from __future__ import annotations

import random

from t5_demo.example import Example, Task, in_held_out_part, words

PREFIX = "spell number: "
LIMIT = 1_000_000
HELD_OUT_ONE_IN = 10
ROUND_SHARE = 0.15
"""The share of numbers that end in zeros, which would be rare if all numbers were equally likely."""
SHOWN = {48213}
"""Numbers that the documentation and the demo use: always held out."""

_BELOW_TWENTY = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")


def spell(number: int) -> str:
    """Spells a whole number below a million in American English, without "and"."""
    if number < 20:
        return _BELOW_TWENTY[number]
    if number < 100:
        tens, units = divmod(number, 10)
        return _TENS[tens - 2] + (f"-{_BELOW_TWENTY[units]}" if units else "")
    base, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    count, rest = divmod(number, base)
    return f"{spell(count)} {name}" + (f" {spell(rest)}" if rest else "")


def is_held_out(number: int) -> bool:
    """Whether training never sees `number`."""
    return number in SHOWN or in_held_out_part(f"number {number}", HELD_OUT_ONE_IN)


def draw(source: random.Random, held_out: bool) -> Example:
    """Draws a number. Every number of digits is equally likely, so that the model learns short numbers, too."""
    while True:
        digits = source.randint(1, 6)
        number = source.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)
        if digits > 1 and source.random() < ROUND_SHARE:
            number -= number % 10 ** source.randint(1, digits - 1)
        if is_held_out(number) == held_out:
            return Example(f"{PREFIX}{number}", spell(number))


TASK = Task(
    name="spell number",
    rule=f"A whole number from 0 to {LIMIT - 1}, written in digits, is spelled in American English without “and”.",
    split=(
        f"One number in {HELD_OUT_ONE_IN} is held out: those whose CRC-32 of `number N` is divisible by "
        f"{HELD_OUT_ONE_IN}, and those that the documentation shows."
    ),
    draw=draw,
)
