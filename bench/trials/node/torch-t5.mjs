// A trial of torch-t5.
import { stdout } from "node:process";
import { runtimeInfo, T5Error, T5ForConditionalGeneration } from "torch-t5";
import { inBatches } from "./ids.mjs";
import { main } from "./measuring.mjs";
import { probability, sampleLogits } from "./numbers.mjs";

function torchT5({ directories, device, precision, threads, cases }) {
  let t5;
  return {
    versions: () => ({ libtorch: runtimeInfo().libtorch.version }),
    open: () => runtimeInfo(),
    async load() {
      const batching = cases.some((one) => one.batching) || undefined;
      const options = { device, precision, intraOpThreads: threads, batching };
      t5 = await T5ForConditionalGeneration.fromPretrained(directories.model, options);
    },
    forward:
      (input, { positions }) =>
      async () =>
        (await t5.forward(input, positions && { positions })).logits,
    free: (logits) => logits.dispose(),
    sample: ({ data, shape }) => sampleLogits(data, shape.at(-1)),
    async begin(inputIds, prefix) {
      const encoded = await t5.encode({ inputIds });
      const session = encoded.startDecoding();
      (await session.prefill(prefix)).logits.dispose();
      return {
        step: async (ids) => (await session.step(ids)).logits,
        dispose() {
          session.dispose();
          encoded.dispose();
        },
      };
    },
    generate:
      (inputIds, { newTokens, numBeams }) =>
      () =>
        t5.generate({ inputIds }, { maxNewTokens: newTokens, eosTokenId: [], numBeams }),
    stream: (inputIds, { newTokens }) => t5.stream({ inputIds }, { maxNewTokens: newTokens, eosTokenId: [] }),
    tokens: ({ sequences }) => Array.from({ length: sequences.shape[0] }, (_, row) => sequences.row(row).subarray(1)),
    score: (inputIds, targets) => async () => (await t5.score({ inputIds }, targets)).map(({ score }) => score),
    rerank: (documents, batch, tokens) => async () => {
      const probabilities = [];
      for (const inputIds of inBatches(documents, batch)) {
        const { logits } = await t5.forward({ inputIds }, { tokens });
        for (let row = 0; row < inputIds.length; row++) probabilities.push(probability(...logits.row(row, 0)));
      }
      return probabilities;
    },
    dispose: () => t5.dispose(),
  };
}

try {
  await main(torchT5);
} catch (error) {
  // Not a failure: this build or machine doesn't support the precision.
  if (!(error instanceof T5Error && /\bprecision\b/.test(error.message))) throw error;
  stdout.write(`${JSON.stringify({ unavailable: error.message })}\n`);
}
