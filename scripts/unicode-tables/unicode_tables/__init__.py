"""The Unicode tables of the pinned `tokenizers`."""
