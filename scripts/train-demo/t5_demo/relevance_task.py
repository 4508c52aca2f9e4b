"""Relevance, as in monoT5: `Query: mayor of Kelby Document: ... Relevant:` -> `true` or `false`."""

from __future__ import annotations

import random

from t5_demo.example import Example, Task, in_held_out_part
from t5_demo.towns import ATTRIBUTES, TOWNS

HELD_OUT_ONE_IN = 10

Fact = tuple[str, str]
"""A town and one of its attributes."""

SHOWN: set[Fact] = {("Kelby", "mayor"), ("Selwick", "market day")}
"""Facts that the documentation uses: always held out."""

MAX_FACTS = 3
"""The maximum number of facts in a document."""

_ATTRIBUTES = tuple(ATTRIBUTES)
_QUERIES = ("{attribute} of {town}", "what is the {attribute} of {town}?", "{town} {attribute}")
_OPENINGS = (
    "The {attribute} of {town} is {value}.",
    "{town}'s {attribute} is {value}.",
    "In {town} the {attribute} is {value}.",
)
_CONTINUATION = "Its {attribute} is {value}."


def is_held_out(fact: Fact) -> bool:
    """Whether no query and no document for training has this attribute of this town."""
    return fact in SHOWN or in_held_out_part("fact {} {}".format(*fact), HELD_OUT_ONE_IN)


_ALL_FACTS = frozenset((town, attribute) for town in TOWNS for attribute in _ATTRIBUTES)
_SEEN = frozenset(fact for fact in _ALL_FACTS if not is_held_out(fact))
_STATABLE = {True: _ALL_FACTS, False: _SEEN}
_ASKABLE = {True: sorted(_ALL_FACTS - _SEEN), False: sorted(_SEEN)}
"""The facts that a document may state and a query may ask for, by whether the example is held out."""


def draw(source: random.Random, held_out: bool) -> Example:
    """Draws a query and a document. Both answers are equally likely, and most irrelevant documents are near misses."""
    town, attribute = source.choice(_ASKABLE[held_out])
    relevant = source.random() < 0.5
    statable = _STATABLE[held_out]
    if relevant:
        document = _document(source, town, attribute, True, statable)
    else:
        near = source.random()
        others = [other for other in TOWNS if other != town and (other, attribute) in statable]
        about = town if near < 0.45 else source.choice(others)
        document = _document(source, about, attribute, 0.45 <= near < 0.9, statable)
    query = source.choice(_QUERIES).format(town=town, attribute=attribute)
    return Example(f"Query: {query} Document: {document} Relevant:", "true" if relevant else "false")


def _document(source: random.Random, town: str, attribute: str, states_it: bool, statable: frozenset[Fact]) -> str:
    """Writes some facts about `town`, with that about `attribute` if `states_it`."""
    others = [other for other in _ATTRIBUTES if other != attribute and (town, other) in statable]
    count = source.randint(1, MAX_FACTS) - states_it
    stated = source.sample(others, min(count, len(others)))
    if states_it:
        stated.insert(source.randint(0, len(stated)), attribute)
    patterns = (source.choice(_OPENINGS), *(_CONTINUATION for _ in stated[1:]))
    return " ".join(
        pattern.format(town=town, attribute=name, value=ATTRIBUTES[name](source))
        for pattern, name in zip(patterns, stated, strict=True)
    )


TASK = Task(
    name="relevance",
    rule=(
        "The document states one to three facts about one town. The answer is `true` exactly when that is the town "
        "that the query asks about, and the attribute that it asks for is among the facts. Both answers are equally "
        "frequent; nine in ten of the irrelevant documents are near misses: the right town without the attribute, or "
        "the attribute of another town."
    ),
    split=(
        f"One pair of town and attribute in {HELD_OUT_ONE_IN} is held out: those whose CRC-32 of "
        f"`fact TOWN ATTRIBUTE` is divisible by {HELD_OUT_ONE_IN}, and those that the documentation asks for. Every "
        "held-out query asks for such a pair; no query and no document for training has one."
    ),
    draw=draw,
)
