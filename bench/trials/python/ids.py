"""The token ids that every peer reads. They follow a fixed formula, which ../node/ids.mjs has, too."""

import numpy as np

FIRST_ID = 2
ID_COUNT = 32_000
ROW_STEP = 7919
COLUMN_STEP = 104_729
START_ID = 0


def make_ids(batch: int, length: int) -> np.ndarray:
    """Return int64 [batch, length] ids in [2, 32002)."""
    rows = np.arange(batch, dtype=np.int64)[:, None] * ROW_STEP
    columns = np.arange(length, dtype=np.int64)[None, :] * COLUMN_STEP
    return FIRST_ID + (rows + columns) % ID_COUNT


def shift_right(ids: np.ndarray) -> np.ndarray:
    """Return the decoder's input ids for the labels `ids`: the start id, then all but the last id."""
    return np.concatenate([np.full_like(ids[:, :1], START_ID), ids[:, :-1]], axis=1)
