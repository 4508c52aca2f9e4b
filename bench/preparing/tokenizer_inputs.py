"""Writes the inputs of the tokenizer benchmark to a directory: a tokenizer of 250,000 pieces, and texts."""

import json
import random
import sys
from pathlib import Path

# The tokenizer is made by the recipes of the tests, and the texts come from their catalogues of real text.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "parity" / "tokenizer" / "reference"))

from catalogues import read_catalogues
from recipes import RECIPES

# The languages that T5 was trained on.
LANGUAGES = ("en_GB", "de", "fr", "ro")
SEED = 8
WORDS = {"20 words": (20, 200), "200 words": (200, 40), "2,000 words": (2000, 8)}
BATCH = 256
BATCH_WORDS = (5, 60)


def main(directory: Path) -> None:
    """Write the directory. An existing tokenizer is kept."""
    directory.mkdir(parents=True, exist_ok=True)
    pieces = directory / "mt5"
    if not (pieces / "tokenizer.json").is_file():
        pieces.mkdir(exist_ok=True)
        RECIPES["mt5"](pieces)
    source = random.Random(SEED)
    catalogues = read_catalogues()
    messages = [text for language in LANGUAGES for text in catalogues[language]]

    def draw(words: int) -> str:
        drawn: list[str] = []
        while len(drawn) < words:
            drawn += source.choice(messages).split()
        return " ".join(drawn[:words])

    texts = {name: [draw(words) for _ in range(count)] for name, (words, count) in WORDS.items()}
    batch = [draw(source.randint(*BATCH_WORDS)) for _ in range(BATCH)]
    (directory / "texts.json").write_text(json.dumps({"texts": texts, "batch": batch}), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
