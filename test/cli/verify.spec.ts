import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";
import { fileOf, writeCheckpoint } from "../support/checkpoint.js";
import { torchT5 } from "../support/cli.js";
import { updateManifest, withDirectory, withModelCopy } from "../support/directory.js";

const VOCABULARY = 399;
const FLOAT_BYTES = 4;

/**
 * Adds `difference` to the last logit of the last probe, and updates the manifest. Returns the original logits of that
 * position.
 */
function changeLastLogit(directory: string, difference: number): readonly number[] {
  const path = join(directory, "parity.safetensors");
  const file = readFileSync(path);
  const start = file.length - VOCABULARY * FLOAT_BYTES;
  const before = Array.from({ length: VOCABULARY }, (_, id) => file.readFloatLE(start + id * FLOAT_BYTES));
  file.writeFloatLE(Math.fround((before.at(-1) ?? Number.NaN) + difference), file.length - FLOAT_BYTES);
  writeFileSync(path, file);
  updateManifest(directory, "parity.safetensors");
  return before;
}

/** By its definition, the KL divergence of `logits`' distribution with `difference` added to the last one from that without. */
function divergenceOf(logits: readonly number[], difference: number): number {
  const weights = logits.map(Math.exp);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const last = weights.at(-1) ?? Number.NaN;
  const changed = total - last + last * Math.exp(difference);
  // Every token's probability is multiplied by total / changed, and the last one's also by exp(difference).
  return Math.log(total / changed) + ((last * Math.exp(difference)) / changed) * difference;
}

const probes = /^probe\.\d+: encoder \[\d+, \d+\], decoder \[\d+, \d+\]: (.*)$/gm;

describe("torch-t5 verify", () => {
  it("compares every probe of the embedded model with Hugging Face's logits", async () => {
    const { code, stdout, stderr } = await torchT5(["verify", demoModel]);
    assert.deepEqual([code, stderr], [0, ""]);
    const comparisons = [...stdout.matchAll(probes)].map((match) => match[1]);
    assert.ok(comparisons.length > 0);
    for (const comparison of comparisons)
      assert.match(comparison ?? "", /^(bitwise equal|largest difference \d\.\d+e-\d+, .*)$/);
  });

  it("prints the largest difference, and fails where it exceeds the tolerance", async () => {
    await withModelCopy(async (directory) => {
      changeLastLogit(directory, 0.5);
      const strict = await torchT5(["verify", directory]);
      assert.equal(strict.code, 1);
      assert.match(strict.stdout, /: largest difference 5\.00e-1, mean /);
      assert.match(strict.stdout, /\nNot equal: the largest difference is 5\.00e-1, more than 0\.0001\.\n$/);
      const lenient = await torchT5(["verify", directory, "--tolerance", "1"]);
      assert.equal(lenient.code, 0);
      assert.match(lenient.stdout, /\nAll probes are within 1\.\n$/);
      assert.equal((await torchT5(["verify", directory, "--tolerance", "1", "--exact"])).code, 1);
    });
  });

  it("prints the KL divergence by its definition, and fails where it exceeds --max-kl", async () => {
    await withModelCopy(async (directory) => {
      const difference = 3;
      const expected = divergenceOf(changeLastLogit(directory, difference), difference);
      const lenient = ["verify", directory, "--tolerance", "9"];
      const { code, stdout } = await torchT5(lenient);
      assert.equal(code, 0);
      const positions = [...stdout.matchAll(/decoder \[(\d+), (\d+)\]/g)].map(
        ([, rows, n]) => Number(rows) * Number(n),
      );
      const all = positions.reduce((sum, count) => sum + count, 0);
      const short = (value: number) => value.toExponential(2);
      assert.ok(
        stdout.includes(
          `\nAll ${all} positions: largest difference 3.00e+0, mean ${short(difference / all / VOCABULARY)}, ` +
            `top-1 agreement 100.00 %, KL divergence mean ${short(expected / all)}, largest ${short(expected)}\n`,
        ),
        stdout,
      );
      const [below, above] = [String(expected * 0.99), String(expected * 1.01)];
      const passed = await torchT5([...lenient, "--max-kl", above]);
      assert.deepEqual(
        [passed.code, passed.stdout.split("\n").at(-2)],
        [0, `Every position's KL divergence is within ${above}.`],
      );
      const failed = await torchT5([...lenient, "--max-kl", below]);
      assert.equal(failed.code, 1);
      assert.equal(
        failed.stdout.split("\n").at(-2),
        `Not equal: the largest KL divergence is ${short(expected)}, more than ${below}.`,
      );
    });
  });

  it("fails where a logit isn't a finite number, even without limits", async () => {
    await withModelCopy(async (directory) => {
      changeLastLogit(directory, Number.NaN);
      const { code, stdout } = await torchT5(["verify", directory, "--tolerance", "Infinity", "--max-kl", "Infinity"]);
      assert.equal(code, 1);
      assert.match(stdout, /\nNot equal: a logit is not a finite number/);
    });
  });

  describe("of a Hugging Face directory", () => {
    it("prints what it can't know, and the command that exports it, and fails", async () => {
      await withDirectory(async (directory) => {
        writeCheckpoint(directory);
        const { code, stdout, stderr } = await torchT5(["verify", directory]);
        assert.deepEqual([code, stderr], [1, ""]);
        assert.match(stdout, /: a Hugging Face directory, without hashes; cpu, float32\nNot verified: /);
        assert.ok(stdout.includes(`npx torch-t5 export ${directory} ${directory}-exported\n`), stdout);
      });
    });

    it("compares the probes that are in it", async () => {
      await withDirectory(async (directory) => {
        writeCheckpoint(directory);
        const [inputIds, decoderInputIds] = [BigInt64Array.of(3n, 4n, 1n), BigInt64Array.of(0n, 7n)];
        await using t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu" });
        const { logits } = await t5.forward({
          inputIds: { data: inputIds, shape: [1, 3] },
          decoderInputIds: { data: decoderInputIds, shape: [1, 2] },
        });
        const ones = BigInt64Array.of(1n, 1n, 1n);
        const bytes = (data: BigInt64Array) => new Uint8Array(data.buffer);
        const probes = new Map([
          ["probe.0.input_ids", { dtype: "I64", shape: [1, 3], data: bytes(inputIds) }],
          ["probe.0.attention_mask", { dtype: "I64", shape: [1, 3], data: bytes(ones) }],
          ["probe.0.decoder_input_ids", { dtype: "I64", shape: [1, 2], data: bytes(decoderInputIds) }],
          ["probe.0.logits", { dtype: "F32", shape: [...logits.shape], data: logits.data }],
        ]);
        writeFileSync(join(directory, "parity.safetensors"), fileOf(probes));
        const { code, stdout, stderr } = await torchT5(["verify", directory]);
        assert.deepEqual([code, stderr], [0, ""], stdout);
        assert.match(stdout, /\nAll 1 probes are bitwise equal to Hugging Face's\.\n$/);
      });
    });

    it("refuses exact, and what isn't a model", async () => {
      await withDirectory(async (directory) => {
        assert.match((await torchT5(["verify", directory])).stderr, /\(ERR_MODEL_NOT_FOUND\)\n$/);
        writeCheckpoint(directory);
        const { code, stderr } = await torchT5(["verify", directory, "--precision", "exact"]);
        assert.equal(code, 1);
        assert.match(
          stderr,
          /"exact", which needs an exported directory: run `npx torch-t5 export .*\(ERR_INVALID_ARGUMENT\)\n$/,
        );
        assert.equal((await torchT5(["verify", directory, "--exact"])).code, 2);
      });
    });
  });

  it("rejects a model whose files don't match its manifest", async () => {
    await withModelCopy(async (directory) => {
      writeFileSync(join(directory, "parity.safetensors"), "changed");
      const { code, stdout, stderr } = await torchT5(["verify", directory]);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /parity\.safetensors .*\(ERR_MODEL_CORRUPT\)\n$/);
    });
  });
});
