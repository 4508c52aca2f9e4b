// A trial of torch-t5.
import { stdout } from "node:process";
import { runtimeInfo, T5Error, T5ForConditionalGeneration } from "torch-t5";
import { inBatches } from "./ids.mjs";
import { digest, main } from "./measuring.mjs";
import { probability, sampleLogits } from "./numbers.mjs";
import { DOCUMENTS, INFER_INPUT, INFER_TOKENS, PROMPT, QUERY } from "./requests.mjs";
import { NEW_TOKENS, SOURCES, TARGETS } from "./service.mjs";

/** The calls of a service: ids in, and a number or ids out. */
function serviceOf(t5) {
  const options = (signal) => ({ maxNewTokens: NEW_TOKENS, eosTokenId: [], signal });
  const source = (index) => ({ inputIds: [SOURCES[index % SOURCES.length]] });
  const score = (index, signal) => t5.score(source(index), [TARGETS[index % TARGETS.length]], { signal });
  const generate = (index, signal) => t5.generate(source(index), options(signal));
  return {
    isConcurrent: true,
    hasDelay: true,
    stepMilliseconds: () => t5.stats().stepMs.p50,
    calls: {
      score,
      generate,
      async stream(index, signal, onToken) {
        for await (const _ of t5.stream(source(index), options(signal))) onToken();
      },
      ...textCalls(t5, options),
    },
    check: async (call) => {
      if (call === "score") return { numbers: (await score(0)).map((one) => one.score) };
      return call === "generate" && { rows: [digest((await generate(0)).sequences.row(0).subarray(1))] };
    },
  };
}

/** The calls of the suite `server`, whose requests are texts, with the library's own methods. */
function textCalls(t5, options) {
  return {
    "text generate": (_, signal) => t5.generate(PROMPT, options(signal)),
    async "text stream"(_, signal, onToken) {
      for await (const _ of t5.stream(PROMPT, options(signal))) onToken();
    },
    rerank: (_, signal) => t5.rerank(QUERY, DOCUMENTS, { signal }),
    infer: async (_, signal) => (await t5.forward(INFER_INPUT, { tokens: INFER_TOKENS, signal })).logits.dispose(),
  };
}

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
    isMerging: precision !== "exact",
    stepMilliseconds: () => t5.stats().stepMs.p50,
    service: () => (precision === "exact" ? undefined : serviceOf(t5)),
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
