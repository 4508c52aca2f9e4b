// The models that every peer runs, and the minimum number of weights that each kind of call reads.

/** Sizes of the real models. The weights are random, with seeds for which no greedy token depends on the last bits of a logit. */
export const MODELS = {
  "t5-small": { dModel: 512, dKv: 64, dFf: 2048, numLayers: 6, numHeads: 8, vocabSize: 32128, seed: 10 },
  "t5-base": { dModel: 768, dKv: 64, dFf: 3072, numLayers: 12, numHeads: 12, vocabSize: 32128, seed: 10 },
};

/** Bytes per weight. */
export const WEIGHT_BYTES = { exact: 4, float32: 4, bfloat16: 2, int8: 1 };

/** The number of weights of each part of the model. The embedding is also the output projection, and is counted once. */
export function countWeights({ dModel, dKv, dFf, numLayers, numHeads, vocabSize }) {
  const projection = dModel * dKv * numHeads;
  const attention = 4 * projection;
  const feedForward = 2 * dModel * dFf;
  const crossKeysAndValues = numLayers * 2 * projection;
  const decoder = numLayers * (2 * attention + feedForward);
  const vocabulary = vocabSize * dModel;
  const encoder = numLayers * (attention + feedForward);
  return { encoder, decoder, crossKeysAndValues, vocabulary, all: encoder + decoder + vocabulary };
}

/** The number of weights that a decoding step reads. The cross keys and values are already computed. */
export function countStepWeights(model) {
  const { decoder, crossKeysAndValues, vocabulary } = countWeights(model);
  return decoder - crossKeysAndValues + vocabulary;
}

/** The floating-point operations of the matrix products of a forward pass, two for each multiplication with its addition. */
export function countFlops(
  { batch, sourceLength, targetLength },
  { dModel, dKv, dFf, numLayers, numHeads, vocabSize },
) {
  const inner = dKv * numHeads;
  const projection = dModel * inner;
  // Scores and weighted sums, for each pair of positions.
  const attend = (queries, keys) => 2 * inner * queries * keys;
  const feedForward = 2 * dModel * dFf;
  const encoder = sourceLength * (4 * projection + feedForward) + attend(sourceLength, sourceLength);
  const self = targetLength * 4 * projection + attend(targetLength, targetLength);
  const cross = 2 * projection * (targetLength + sourceLength) + attend(targetLength, sourceLength);
  const decoder = self + cross + targetLength * feedForward;
  return 2 * batch * (numLayers * (encoder + decoder) + targetLength * dModel * vocabSize);
}

/** The minimum number of weights that a call reads; undefined for kinds without such a bound. */
export function countReadWeights(kind, case_, model) {
  const { encoder, decoder, crossKeysAndValues, vocabulary } = countWeights(model);
  if (kind === "forward" || kind === "score") return encoder + decoder + vocabulary;
  if (kind === "step") return countStepWeights(model);
  if (kind === "generate") return encoder + crossKeysAndValues + case_.newTokens * countStepWeights(model);
  if (kind === "rerank") return Math.ceil(case_.documents / case_.batch) * (encoder + decoder);
  return undefined;
}
