"""What the pinned `tokenizers` knows of code points."""
