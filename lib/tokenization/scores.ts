// Scores as the reader of a tokenizer.json sees them.

const DECIMAL = /^-?(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/;
/** The largest power of ten that isn't infinite. */
const LARGEST_POWER = 308;

/**
 * A number as Rust's serde_json reads it, which may be off by the last bit: the digits as a whole number, divided by a power
 * of ten. Scores that would tie then don't, and "-------" of T5 has other pieces. The digits are taken to be as many as the
 * number needs, as Python and Rust write it.
 */
export function scoreOfRust(exact: number): number {
  const [, digits, fraction = "", exponent = "0"] = DECIMAL.exec(String(exact)) ?? [];
  if (digits === undefined) return exact;
  let score = Number(digits + fraction);
  let power = Number(exponent) - fraction.length;
  for (; power < -LARGEST_POWER; power += LARGEST_POWER) score /= Number(`1e${LARGEST_POWER}`);
  score = power < 0 ? score / Number(`1e${-power}`) : score * Number(`1e${power}`);
  return exact < 0 ? -score : score;
}
