// A trial of transformers.js.
import { basename, dirname } from "node:path";
import { inBatches, START_ID } from "./ids.mjs";
import { main } from "./measuring.mjs";
import { probability, sampleLogits } from "./numbers.mjs";
import { importPeer, peerVersion } from "./packages.mjs";

const PACKAGE = "@huggingface/transformers";
// The id of no token, so that every row gets the maximum number of tokens.
const NO_ID = -1;

async function transformersJs({ directories, threads, nodePeers }) {
  const { AutoModelForSeq2SeqLM, env, Tensor } = await importPeer(nodePeers, PACKAGE);
  env.allowRemoteModels = false;
  env.localModelPath = dirname(directories.model);
  let model;

  function tensorOf(rows) {
    return new Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0].length]);
  }

  const forward = async (inputIds, attentionMask, decoderInputIds) =>
    (
      await model({
        input_ids: tensorOf(inputIds),
        attention_mask: tensorOf(attentionMask),
        decoder_input_ids: tensorOf(decoderInputIds),
      })
    ).logits;

  const onesLike = (rows) => rows.map((row) => row.map(() => 1));

  return {
    versions: () =>
      Object.fromEntries([PACKAGE, "onnxruntime-node"].map((name) => [name, peerVersion(nodePeers, name)])),
    async load() {
      model = await AutoModelForSeq2SeqLM.from_pretrained(basename(directories.model), {
        dtype: "fp32",
        session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
      });
    },
    forward:
      ({ inputIds, attentionMask, decoderInputIds }) =>
      () =>
        forward(inputIds, attentionMask, decoderInputIds),
    free: (logits) => logits.dispose(),
    sample: ({ data, dims }) => sampleLogits(data, dims.at(-1)),
    generate: (inputIds, { newTokens, numBeams }) => {
      // transformers.js accepts a number of beams, but always uses one.
      if (numBeams > 1) return undefined;
      const inputs = { inputs: tensorOf(inputIds), attention_mask: tensorOf(onesLike(inputIds)) };
      const options = { max_new_tokens: newTokens, eos_token_id: NO_ID, do_sample: false };
      return () => model.generate({ ...inputs, ...options });
    },
    tokens: (sequences) => sequences.tolist().map((row) => row.slice(1)),
    rerank: (documents, batch, tokens) => async () => {
      const probabilities = [];
      for (const rows of inBatches(documents, batch)) {
        const { data, dims } = await forward(
          rows,
          onesLike(rows),
          rows.map(() => [START_ID]),
        );
        rows.forEach((_, row) => {
          probabilities.push(probability(...tokens.map((token) => data[row * dims[2] + token])));
        });
      }
      return probabilities;
    },
  };
}

await main(transformersJs);
