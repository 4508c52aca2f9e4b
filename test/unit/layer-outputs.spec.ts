import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { demoModel, type ForwardOptions, T5ForConditionalGeneration, type Tensor } from "torch-t5";
import { updateManifest, withModelCopy } from "../support/directory.js";

const INPUT = {
  inputIds: [
    [37, 9, 1],
    [5, 1, 0],
  ],
  attentionMask: [
    [1, 1, 1],
    [1, 1, 0],
  ],
  decoderInputIds: [
    [0, 7],
    [0, 9],
  ],
};
const ALL = { outputHiddenStates: true, outputAttentions: true } as const;
const bits = ({ data }: Tensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** The options that ask for one kind of outputs. */
function asked(option: string): Pick<ForwardOptions, "outputHiddenStates" | "outputAttentions"> {
  return { [option]: true };
}

describe("outputs of layers", () => {
  let model: T5ForConditionalGeneration;

  before(async () => {
    model = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu" });
  });
  after(() => model?.dispose());

  it("have a tensor a layer, in the shapes of Hugging Face", async () => {
    const result = await model.forward(INPUT, ALL);
    const { numLayers, numDecoderLayers, numHeads, dModel } = model.config;
    const shapes = (tensors: readonly Tensor[]) => tensors.map(({ shape }) => [...shape]);
    const times = (count: number, shape: readonly number[]) => Array.from({ length: count }, () => [...shape]);
    assert.deepEqual(shapes(result.encoderHiddenStates), times(numLayers + 1, [2, 3, dModel]));
    assert.deepEqual(shapes(result.decoderHiddenStates), times(numDecoderLayers + 1, [2, 2, dModel]));
    assert.deepEqual(shapes(result.encoderAttentions), times(numLayers, [2, numHeads, 3, 3]));
    assert.deepEqual(shapes(result.decoderAttentions), times(numDecoderLayers, [2, numHeads, 2, 2]));
    assert.deepEqual(shapes(result.crossAttentions), times(numDecoderLayers, [2, numHeads, 2, 3]));
  });

  it("are only those that were asked for", async () => {
    const keys = async (options: object) => Object.keys(await model.forward(INPUT, options)).sort();
    assert.deepEqual(await keys({ outputHiddenStates: true }), [
      "decoderHiddenStates",
      "encoderHiddenStates",
      "logits",
    ]);
    assert.deepEqual(await keys({ outputAttentions: true }), [
      "crossAttentions",
      "decoderAttentions",
      "encoderAttentions",
      "logits",
    ]);
    assert.deepEqual(await keys({ outputHiddenStates: false, outputAttentions: false }), ["logits"]);
  });

  it("change no bit of the logits and the last hidden states, which are those of the last layer", async () => {
    const plain = await model.forward(INPUT, { hiddenStates: true });
    const result = await model.forward(INPUT, { hiddenStates: true, outputHiddenStates: true });
    const [encoder, decoder] = [result.encoderHiddenStates.at(-1), result.decoderHiddenStates.at(-1)];
    assert.ok(encoder !== undefined && decoder !== undefined);
    assert.deepEqual(bits(result.logits), bits(plain.logits));
    assert.deepEqual(bits(result.encoderLastHiddenState), bits(plain.encoderLastHiddenState));
    assert.deepEqual(bits(encoder), bits(plain.encoderLastHiddenState));
    assert.deepEqual(bits(decoder), bits(plain.decoderLastHiddenState));
    // Each has memory of its own.
    encoder.dispose();
    assert.deepEqual(bits(result.encoderLastHiddenState), bits(plain.encoderLastHiddenState));
  });

  it("are of all positions where the logits are of some", async () => {
    const some = await model.forward(INPUT, { ...ALL, positions: "last", tokens: [3, 5], topK: 1 });
    const all = await model.forward(INPUT, ALL);
    assert.deepEqual([...some.values.shape], [2, 1, 1]);
    assert.deepEqual(some.crossAttentions.map(bits), all.crossAttentions.map(bits));
    assert.deepEqual(some.decoderHiddenStates.map(bits), all.decoderHiddenStates.map(bits));
  });

  it("attend to no padding, and each row of weights sums to 1", async () => {
    const { crossAttentions } = await model.forward(INPUT, { outputAttentions: true });
    for (const layer of crossAttentions) {
      for (let head = 0; head < model.config.numHeads; head += 1) {
        const weights = layer.row(1, head, 0);
        assert.equal(weights[2], 0);
        // Three float32 numbers of at most 1, each rounded to within 2^-25.
        assert.ok(Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 1) < 2 ** -22);
      }
    }
  });

  it("with a loss", async () => {
    const input = { inputIds: [[37, 1]], labels: [[7, 1]] };
    const { loss } = await model.forward(input, { loss: true });
    const result = await model.forward(input, { loss: true, outputHiddenStates: true });
    assert.equal(result.loss, loss);
  });

  it("of a session: those of the decoder, whose positions grow", async () => {
    using encoded = await model.encode({ inputIds: INPUT.inputIds, attentionMask: INPUT.attentionMask });
    using session = encoded.startDecoding();
    await session.prefill([
      [0, 7],
      [0, 9],
    ]);
    using fork = session.fork();
    const result = await session.step([[5], [6]], ALL);
    const names = ["crossAttentions", "decoderAttentions", "decoderHiddenStates", "logits"];
    assert.deepEqual(Object.keys(result).sort(), names);
    const { numHeads } = model.config;
    assert.deepEqual([...(result.decoderAttentions[0]?.shape ?? [])], [2, numHeads, 1, 3]);
    assert.deepEqual([...(result.crossAttentions[0]?.shape ?? [])], [2, numHeads, 1, 3]);
    fork.reorder([1, 1, 0]);
    const reordered = await fork.step([[6], [6], [5]], ALL);
    assert.deepEqual([...(reordered.crossAttentions[0]?.shape ?? [])], [3, numHeads, 1, 3]);
    const [one, other] = [reordered.crossAttentions[0]?.row(0, 0), reordered.crossAttentions[0]?.row(1, 0)];
    assert.deepEqual(one, other);
  });

  for (const option of ["outputHiddenStates", "outputAttentions"] as const) {
    it(`refuses ${option} that is no boolean`, async () => {
      const message = new RegExp(`a boolean for options.${option} but received 1`);
      const wrong = { [option]: 1 } as object;
      await assert.rejects(model.forward(INPUT, wrong), { code: "ERR_INVALID_ARGUMENT", message });
    });

    it(`refuses ${option} with another precision, and the model and its sessions keep serving`, async () => {
      const options = { device: "cpu", precision: "float32" } as const;
      await using fused = await T5ForConditionalGeneration.fromPretrained(demoModel, options);
      const message = new RegExp(
        `loaded with precision: "exact" for options.${option} but received one with precision`,
      );
      const error = { name: "T5Error", code: "ERR_INVALID_ARGUMENT", message };
      await assert.rejects(fused.forward(INPUT, asked(option)), error);
      using encoded = await fused.encode({ inputIds: [[5, 1]] });
      using session = encoded.startDecoding();
      await assert.rejects(session.prefill([[0, 3]], asked(option)), error);
      assert.equal(session.position, 0);
      assert.deepEqual([...(await session.step([[0]])).logits.shape], [1, 1, model.config.vocabSize]);
    });

    it(`refuses ${option} of an export that was written before there were such archives`, async () => {
      await withModelCopy(async (directory) => {
        for (const name of ["hidden_states.pt", "attentions.pt"]) forget(directory, name);
        await using old = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu" });
        const message = new RegExp(`\\(export it again\\) for options.${option} but received`);
        await assert.rejects(old.forward(INPUT, asked(option)), { code: "ERR_INVALID_ARGUMENT", message });
        assert.deepEqual(bits((await old.forward(INPUT)).logits), bits((await model.forward(INPUT)).logits));
      });
    });
  }

  const FILES = { outputHiddenStates: "hidden_states.pt", outputAttentions: "attentions.pt" } as const;

  for (const [option, file] of Object.entries(FILES)) {
    it(`reports a damaged ${file} at the first call, and the model keeps serving`, async () => {
      await withModelCopy(async (directory) => {
        const path = join(directory, file);
        writeFileSync(path, readFileSync(path).subarray(0, 5000));
        updateManifest(directory, file);
        await using damaged = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu" });
        const error = { code: "ERR_MODEL_CORRUPT", message: new RegExp(`a TorchScript archive for ${file}`) };
        await assert.rejects(damaged.forward(INPUT, asked(option)), error);
        assert.deepEqual(bits((await damaged.forward(INPUT)).logits), bits((await model.forward(INPUT)).logits));
      });
    });

    it(`reports another archive in place of ${file}`, async () => {
      await withModelCopy(async (directory) => {
        // It has no outputs of layers.
        writeFileSync(join(directory, file), readFileSync(join(directory, "model.pt")));
        updateManifest(directory, file);
        await using wrong = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu" });
        await assert.rejects(wrong.forward(INPUT, asked(option)), { code: "ERR_MODEL_CORRUPT" });
      });
    });

    it(`reports a ${file} that was removed after the model was loaded`, async () => {
      await withModelCopy(async (directory) => {
        await using loaded = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu" });
        rmSync(join(directory, file));
        await assert.rejects(loaded.forward(INPUT, asked(option)), { code: "ERR_MODEL_NOT_FOUND" });
      });
    });
  }

  it("that can't fit into memory are refused before anything is computed", async () => {
    const length = 4096;
    const batch = 400;
    const data = new Int32Array(batch * length).fill(5);
    const input = { inputIds: { data, shape: [batch, length] } };
    const message = /GB of memory available for options.outputAttentions but received ids whose outputs take \d+/;
    await assert.rejects(model.forward(input, { outputAttentions: true }), { code: "ERR_OUT_OF_MEMORY", message });
  });
});

/** Removes a file from a directory and its manifest. */
function forget(directory: string, name: string): void {
  const path = join(directory, "manifest.json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as { files: Record<string, unknown> };
  delete manifest.files[name];
  writeFileSync(path, JSON.stringify(manifest));
  rmSync(join(directory, name));
}
