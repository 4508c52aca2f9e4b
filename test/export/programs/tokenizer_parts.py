"""Prints the types of each part of a tokenizer that the exporter accepts."""

import json

import exporter  # noqa: F401
from t5_export.tokenizers import PARTS

if __name__ == "__main__":
    print(json.dumps(dict(PARTS)))
