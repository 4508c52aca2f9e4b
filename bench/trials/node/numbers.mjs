// Arithmetic that the Node peers share.

/** Vocabulary ids whose logits, at the last position of the last row, tell whether peers computed the same. */
const SAMPLED = [2, 10];

/** A few of the last position's logits, of the data of a tensor whose last axis is the vocabulary. */
export function sampleLogits(data, vocabSize) {
  const start = data.length - vocabSize;
  return [...data.subarray(start + SAMPLED[0], start + SAMPLED[1])];
}

/** The softmax of two logits, of the first one. */
export function probability(wanted, other) {
  return 1 / (1 + Math.exp(other - wanted));
}

/** The natural logarithm of the sum of exponentials of `data[start..end)`. */
export function logSumExp(data, start, end) {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = start; i < end; i++) if (data[i] > largest) largest = data[i];
  let sum = 0;
  for (let i = start; i < end; i++) sum += Math.exp(data[i] - largest);
  return largest + Math.log(sum);
}
