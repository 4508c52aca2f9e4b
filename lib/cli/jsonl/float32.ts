// Numbers of float32 in JSON: a double's seventeen digits say nothing that eight or nine don't.

const FEWEST_DIGITS = 6;
const ENOUGH_DIGITS = 9;

/** The number with the fewest digits that is the same in float32; a number that isn't one of float32 stays as it is. */
export function shortest(value: number): number {
  if (Math.fround(value) !== value) return value;
  for (let digits = FEWEST_DIGITS; digits < ENOUGH_DIGITS; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return Number(value.toPrecision(ENOUGH_DIGITS));
}

/** The same for each number of a row. */
export function shortestOf(values: Float32Array): readonly number[] {
  return Array.from(values, shortest);
}
