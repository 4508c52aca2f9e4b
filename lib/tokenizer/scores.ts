// Scores as the reader of a tokenizer.json sees them.

const DECIMAL = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/;
/** The largest power of ten that isn't infinite. */
const LARGEST_POWER = 308;
/** Numbers of as many digits are exact, and so are their quotients by powers of ten that small. */
const EXACT_DIGITS = 15;

const powers = Array.from({ length: LARGEST_POWER + 1 }, (_, power) => Number(`1e${power}`));

/**
 * A number as Rust's serde_json reads it, which may be off by the last bit: the digits as a whole number, divided by a power
 * of ten. Scores that would tie then don't, and "-------" of T5 has other pieces. The digits are taken to be as many as the
 * number needs, as Python and Rust write it.
 */
export function scoreOfRust(exact: number): number {
  const text = String(Math.abs(exact));
  if (text.length <= EXACT_DIGITS + 1 && !text.includes("e")) return exact;
  const score = readInRust(text);
  return exact < 0 ? -score : score;
}

function readInRust(text: string): number {
  const point = text.indexOf(".");
  // The usual form: digits, a point, digits.
  if (point > 0 && !text.includes("e")) {
    return Number(text.slice(0, point) + text.slice(point + 1)) / powerOf(text.length - point - 1);
  }
  const [, digits = "", fraction = "", exponent = "0"] = DECIMAL.exec(text) ?? [];
  let score = Number(digits + fraction);
  let power = Number(exponent) - fraction.length;
  for (; power < -LARGEST_POWER; power += LARGEST_POWER) score /= powerOf(LARGEST_POWER);
  return power < 0 ? score / powerOf(-power) : score * powerOf(power);
}

function powerOf(exponent: number): number {
  return powers[exponent] ?? Number.POSITIVE_INFINITY;
}
