// A trial of onnxruntime-node, called directly with the exported graphs.
import { join } from "node:path";
import { inBatches, START_ID, shiftRight } from "./ids.mjs";
import { main } from "./measuring.mjs";
import { logSumExp, probability, sampleLogits } from "./numbers.mjs";
import { importPeer, peerVersion } from "./packages.mjs";

const PACKAGE = "onnxruntime-node";
const PAST = "past_key_values";

async function onnxRuntime({ directories, threads, nodePeers }) {
  const { InferenceSession, Tensor } = await importPeer(nodePeers, PACKAGE);
  const sessions = new Map();
  const options = { intraOpNumThreads: threads, interOpNumThreads: 1, executionProviders: ["cpu"] };

  /** A session, which is created at its first use. */
  async function open(use, name) {
    const path = join(directories[use], "onnx", `${name}.onnx`);
    if (!sessions.has(path)) sessions.set(path, await InferenceSession.create(path, options));
    return sessions.get(path);
  }

  async function run(use, name, inputs) {
    const session = await open(use, name);
    const feeds = Object.fromEntries(session.inputNames.map((input) => [input, inputs[input]]));
    return session.run(feeds);
  }

  function tensorOf(rows) {
    return new Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0].length]);
  }

  const onesLike = (rows) => rows.map((row) => row.map(() => 1));

  async function encode(inputIds, attentionMask = onesLike(inputIds)) {
    const inputs = { input_ids: tensorOf(inputIds), attention_mask: tensorOf(attentionMask) };
    const { last_hidden_state: hidden } = await run("plain", "encoder_model", inputs);
    return { encoder_hidden_states: hidden, encoder_attention_mask: inputs.attention_mask };
  }

  async function decode(encoded, ids) {
    return (await run("plain", "decoder_model", { ...encoded, input_ids: tensorOf(ids) })).logits;
  }

  return {
    versions: () => ({ [PACKAGE]: peerVersion(nodePeers, PACKAGE) }),
    async load() {
      await open("model", "encoder_model");
      await open("model", "decoder_model_merged");
    },
    forward:
      ({ inputIds, attentionMask, decoderInputIds }) =>
      async () =>
        decode(await encode(inputIds, attentionMask), decoderInputIds),
    free: (logits) => logits.dispose(),
    sample: ({ data, dims }) => sampleLogits(data, dims.at(-1)),
    async begin(inputIds, prefix) {
      const encoded = await encode(inputIds);
      let past = pastOf(await run("model", "decoder_model", { ...encoded, input_ids: tensorOf(prefix) }));
      return {
        async step(ids) {
          const inputs = { ...encoded, ...past, input_ids: tensorOf(ids) };
          const outputs = await run("model", "decoder_with_past_model", inputs);
          past = { ...past, ...pastOf(outputs) };
          return outputs.logits;
        },
      };
    },
    score: (inputIds, targets) => async () => {
      const encoded = await encode(targets.map(() => inputIds[0]));
      const { data, dims } = await decode(encoded, shiftRight(targets));
      const [, length, vocabSize] = dims;
      return targets.map((target, row) =>
        target.reduce((sum, id, position) => {
          const start = (row * length + position) * vocabSize;
          return sum + data[start + id] - logSumExp(data, start, start + vocabSize);
        }, 0),
      );
    },
    rerank: (documents, batch, tokens) => async () => {
      const probabilities = [];
      for (const rows of inBatches(documents, batch)) {
        const { data, dims } = await decode(
          await encode(rows),
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

/** The keys and values of a run's outputs, under the names of the next run's inputs. */
function pastOf(outputs) {
  return Object.fromEntries(
    Object.entries(outputs)
      .filter(([name]) => name.startsWith("present"))
      .map(([name, tensor]) => [name.replace("present", PAST), tensor]),
  );
}

await main(onnxRuntime);
