// The token ids that every peer reads. They follow a fixed formula, which ../python/ids.py has, too.
const FIRST_ID = 2;
const ID_COUNT = 32_000;
const ROW_STEP = 7919;
const COLUMN_STEP = 104_729;
export const START_ID = 0;

/** `[batch][length]` ids in [2, 32002). */
export function makeIds(batch, length) {
  return Array.from({ length: batch }, (_, row) =>
    Array.from({ length }, (_, column) => FIRST_ID + ((row * ROW_STEP + column * COLUMN_STEP) % ID_COUNT)),
  );
}

/** The decoder's input ids for the labels `rows`: the start id, then all but the last id. */
export function shiftRight(rows) {
  return rows.map((row) => [START_ID, ...row.slice(0, -1)]);
}

/** The rows in batches of at most `size`. */
export function inBatches(rows, size) {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, index) =>
    rows.slice(index * size, (index + 1) * size),
  );
}
