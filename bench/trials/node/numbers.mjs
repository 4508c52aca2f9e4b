// Arithmetic on logits for the Node peers.

/** The range of vocabulary ids whose logits, at the last position of the last row, are compared between peers. */
const SAMPLED = [2, 10];

/** The compared logits in the data of a tensor `[..., vocabSize]`. */
export function sampleLogits(data, vocabSize) {
  const start = data.length - vocabSize;
  return [...data.subarray(start + SAMPLED[0], start + SAMPLED[1])];
}

/** The probability of the first of two logits in their softmax. */
export function probability(logit, other) {
  return 1 / (1 + Math.exp(other - logit));
}

/** The natural logarithm of the sum of the exponentials of `data[start..end)`. */
export function logSumExp(data, start, end) {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = start; i < end; i++) if (data[i] > max) max = data[i];
  let sum = 0;
  for (let i = start; i < end; i++) sum += Math.exp(data[i] - max);
  return max + Math.log(sum);
}
