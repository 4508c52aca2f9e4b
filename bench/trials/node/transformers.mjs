// A trial of transformers.js.
import { basename, dirname } from "node:path";
import { inBatches, START_ID, shiftRight } from "./ids.mjs";
import { digest, main } from "./measuring.mjs";
import { logSumExp, probability, sampleLogits } from "./numbers.mjs";
import { importPeer, peerVersion } from "./packages.mjs";
import { NEW_TOKENS, SOURCES, TARGETS } from "./service.mjs";

const PACKAGE = "@huggingface/transformers";
// The id of no token, so that every row gets the maximum number of tokens.
const NO_ID = -1;

async function transformersJs({ directories, threads, nodePeers }) {
  const { AutoModelForSeq2SeqLM, BaseStreamer, env, InterruptableStoppingCriteria, Tensor } = await importPeer(
    nodePeers,
    PACKAGE,
  );
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

  /** One generation, whose tokens are counted, and which a signal ends. */
  async function generateFor(index, signal, onToken) {
    const ids = [SOURCES[index % SOURCES.length]];
    const stopping = new InterruptableStoppingCriteria();
    signal?.addEventListener("abort", () => stopping.interrupt(), { once: true });
    const inputs = { inputs: tensorOf(ids), attention_mask: tensorOf(onesLike(ids)) };
    const options = { max_new_tokens: NEW_TOKENS, eos_token_id: NO_ID, do_sample: false, stopping_criteria: stopping };
    const sequences = await model.generate({
      ...inputs,
      ...options,
      ...(onToken && { streamer: streamerOf(onToken) }),
    });
    signal?.throwIfAborted();
    return sequences;
  }

  /** The first call of a streamer has the decoder's start id. */
  function streamerOf(onToken) {
    let isStarted = false;
    return new (class extends BaseStreamer {
      put() {
        if (isStarted) onToken();
        isStarted = true;
      }
      end() {}
    })();
  }

  /** The log-probability of a target. */
  async function score(index) {
    const target = TARGETS[index % TARGETS.length];
    const source = [SOURCES[index % SOURCES.length]];
    const { data, dims } = await forward(source, onesLike(source), shiftRight([target]));
    const size = dims.at(-1);
    return target.reduce(
      (sum, id, position) => sum + data[position * size + id] - logSumExp(data, position * size, (position + 1) * size),
      0,
    );
  }

  const service = {
    isConcurrent: true,
    hasDelay: true,
    calls: {
      score,
      generate: (index, signal) => generateFor(index, signal),
      stream: generateFor,
    },
    check: async (call) => {
      if (call === "score") return { numbers: [await score(0)] };
      return call === "generate" && { rows: [digest((await generateFor(0)).tolist()[0].slice(1))] };
    },
  };

  return {
    service: () => service,
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
