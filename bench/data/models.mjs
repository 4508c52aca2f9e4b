// The models that every peer runs, and how many numbers of theirs a pass has to read at the least.

/** Sizes of the real models; the weights are random. Each seed is one whose greedy tokens nowhere hang on the last bits. */
export const MODELS = {
  "t5-small": { dModel: 512, dKv: 64, dFf: 2048, numLayers: 6, numHeads: 8, vocabSize: 32128, seed: 10 },
  "t5-base": { dModel: 768, dKv: 64, dFf: 3072, numLayers: 12, numHeads: 12, vocabSize: 32128, seed: 10 },
};

/** Bytes of one weight. */
export const WEIGHT_BYTES = { exact: 4, float32: 4, bfloat16: 2, int8: 1 };

/** Weights by the part of a pass that reads them: the embedding is also the vocabulary's matrix, rows of it are not counted. */
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

/** Weights that one decoding step reads: cross keys and values were computed before it. */
export function countStepWeights(model) {
  const { decoder, crossKeysAndValues, vocabulary } = countWeights(model);
  return decoder - crossKeysAndValues + vocabulary;
}

/** Weights that a call of a case has to read, each as often as it can't be avoided; undefined where no such bound is told. */
export function countReadWeights(kind, case_, model) {
  const { encoder, decoder, crossKeysAndValues, vocabulary } = countWeights(model);
  if (kind === "forward" || kind === "score") return encoder + decoder + vocabulary;
  if (kind === "step") return countStepWeights(model);
  if (kind === "generate") return encoder + crossKeysAndValues + case_.newTokens * countStepWeights(model);
  if (kind === "rerank") return Math.ceil(case_.documents / case_.batch) * (encoder + decoder);
  return undefined;
}
