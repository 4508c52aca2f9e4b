import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Precision, type T5ErrorCode, T5ForConditionalGeneration } from "torch-t5";
import { updateManifest, withModelCopy } from "../support/directory.js";
import { runProgram } from "../support/program.js";
import { pythonPath } from "../support/python.js";

const FIRST_SEED = 20_261_124;
const MUTATIONS = 150;
const EDITS = 100;
/** Most of the changed bytes are those of code, which the fused engine doesn't read. */
const MIN_REFUSED = { exact: MUTATIONS / 2, float32: MUTATIONS / 5 } as const;
const FUSED = ["float32", "bfloat16", "int8"] as const;

describe("an archive that the exporter didn't write, in a directory whose manifest has its digest", () => {
  let archives = "";

  before(() => {
    archives = mkdtempSync(join(tmpdir(), "torch-t5-archives-"));
    execFileSync(pythonPath(), [fileURLToPath(new URL("./make_archives.py", import.meta.url)), archives]);
  });

  after(() => rmSync(archives, { recursive: true, force: true }));

  async function withArchive(name: string, use: (directory: string) => Promise<void>): Promise<void> {
    await withModelCopy(async (directory) => {
      copyFileSync(join(archives, `${name}.pt`), join(directory, "model.pt"));
      updateManifest(directory, "model.pt");
      await use(directory);
    });
  }

  const load = (directory: string, precision: Precision = "exact") =>
    T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", precision });

  const refused: readonly (readonly [promise: string, name: string, code: T5ErrorCode, message: RegExp])[] = [
    ["is not a T5", "Other", "ERR_MODEL_CORRUPT", /3 arguments for the method forward/],
    ["has a method with fewer arguments", "FewArguments", "ERR_MODEL_CORRUPT", /2 arguments for the method encode/],
    ["has code that runs while it is loaded", "RunsOnLoad", "ERR_MODEL_UNTRUSTED", /prim::SetAttr \(in __torch__/],
  ];
  for (const [promise, name, code, message] of refused) {
    it(`is refused when it ${promise}`, async () => {
      await withArchive(name, async (directory) => {
        await assert.rejects(load(directory), { name: "T5Error", code, message });
      });
    });
  }

  const results: readonly (readonly [name: string, message: RegExp])[] = [
    ["OneOutput", /3 outputs of a method of model.pt/],
    ["SmallOutputs", /float32 \[1, 2, any\] on cpu from a method of model.pt but received CPUFloatType \[1, 1, 1\]/],
  ];
  for (const [name, message] of results) {
    it(`is refused by the call when its results are not those of a T5: ${name}`, async () => {
      await withArchive(name, async (directory) => {
        await using t5 = await load(directory);
        await assert.rejects(t5.forward({ inputIds: [[3, 1]], decoderInputIds: [[0, 3]] }), {
          name: "T5Error",
          code: "ERR_MODEL_CORRUPT",
          message,
        });
      });
    });
  }

  for (const [name, message] of [
    ["Other", /the weight model\.shared\.weight in model\.pt but received none/],
    ["OneOutput", /the weight model\.shared\.weight in model\.pt but received none/],
    // Its pickle has a tuple for the code that runs while it is loaded.
    ["RunsOnLoad", /a TorchScript archive for model\.pt but received a damaged one/],
  ] as const) {
    it(`is refused by the fused engine during loading when it lacks a weight: ${name}`, async () => {
      await withArchive(name, async (directory) => {
        for (const precision of FUSED) {
          await assert.rejects(load(directory, precision), { name: "T5Error", code: "ERR_MODEL_CORRUPT", message });
        }
      });
    });
  }

  for (const precision of ["exact", "float32"] as const) {
    it(`never ends the process, whichever of its bytes are changed, in ${precision}`, async () => {
      const program = new URL("./programs/mutations.mjs", import.meta.url);
      const ended = await runProgram(program, [String(FIRST_SEED), String(MUTATIONS), precision]);
      const outcome = { code: ended.code, signal: ended.signal };
      assert.deepEqual(outcome, { code: 0, signal: null }, ended.stderr.slice(-2000));
      const { refused, accepted } = JSON.parse(ended.stdout) as { refused: number; accepted: number };
      assert.equal(refused + accepted, MUTATIONS);
      assert.ok(refused > MIN_REFUSED[precision], `only ${refused} were refused: most changes are harmless`);
    });
  }

  it("never ends the process or writes a file, whichever of its code and pickles are edited", async () => {
    const ended = await runProgram(new URL("./programs/edits.mjs", import.meta.url), [
      String(FIRST_SEED),
      String(EDITS),
    ]);
    const outcome = { code: ended.code, signal: ended.signal };
    assert.deepEqual(outcome, { code: 0, signal: null }, ended.stderr.slice(-2000));
    const { refused, accepted } = JSON.parse(ended.stdout) as { refused: number; accepted: number };
    assert.equal(refused + accepted, EDITS);
    assert.ok(refused > EDITS / 2, `only ${refused} were refused: most edits are harmless`);
  });
});
