"""Invented towns, and the facts that a sentence can state about a town."""

from __future__ import annotations

import random
from collections.abc import Callable

from t5_demo.example import words

TOWNS = words(
    "Aldmoor Birchby Cranwick Dunholm Elmstead Farrow Gorseby Hartle Ilvane Jorwick Kelby Larchmont Mirefold Norwyn "
    "Oakridge Pelham Quenby Rookley Selwick Thornby Ulverton Veldon Wexmoor Yarrow Ambleford Brindle Caldwick "
    "Dovermere Eskdale Fenby Glaston Hollin Inverloch Juniper Kestwick Lowmere Marfield Netherby Orvale Pinhoe Quarley "
    "Rushden Stowell Tidmarsh Uplyme Vennford Wickham Yelland"
)

_PEOPLE = words(
    "Ada Boris Clara Dario Edith Felix Greta Hugo Irma Jonas Kira Leon Mona Nils Olga Pavel Rita Sven Tilda Viktor"
)
_COLOURS = words("red orange yellow green blue violet brown black white grey")
_CROPS = words("barley beans cabbage cherries garlic honey maize olives onions pears plums rye")
_DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_MATERIALS = words("brick clay glass iron slate stone timber tin")


def _one_of(choices: tuple[str, ...]) -> Callable[[random.Random], str]:
    return lambda source: source.choice(choices)


def _from(low: int, high: int) -> Callable[[random.Random], str]:
    return lambda source: str(source.randint(low, high))


ATTRIBUTES: dict[str, Callable[[random.Random], str]] = {
    "mayor": _one_of(_PEOPLE),
    "teacher": _one_of(_PEOPLE),
    "doctor": _one_of(_PEOPLE),
    "population": _from(200, 9999),
    "founding year": _from(1100, 1899),
    "flag": _one_of(_COLOURS),
    "main crop": _one_of(_CROPS),
    "market day": _one_of(_DAYS),
    "bridge": _one_of(_MATERIALS),
    "chapel": _one_of(_MATERIALS),
}
"""The attributes of a town, and a function that draws the value of each."""
