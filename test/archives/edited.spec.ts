import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";
import { updateManifest, withModelCopy } from "../support/directory.js";
import { pythonPath } from "../support/python.js";

const EDITOR = fileURLToPath(new URL("./edit_archive.py", import.meta.url));
const INPUT = { inputIds: [[3, 1]], decoderInputIds: [[0, 3]] };

/** Each edit of edit_archive.py, and the operator that the error names. */
const edits: readonly (readonly [promise: string, edit: string, received: string])[] = [
  ["the first statement of forward writes a file", "forward", "aten::save"],
  ["a submodule writes a file", "submodule", "aten::save"],
  ["a function that forward calls writes a file", "helper", "aten::save"],
  ["a method that nothing calls writes a file", "unused", "aten::save"],
  ["__setstate__ writes a file", "setstate", "aten::save"],
  ["a branch that no input takes writes a file", "branch", "aten::save"],
  ["it maps a file into memory", "map", "aten::from_file"],
  ["it prints", "print", "prim::Print"],
  ["it seeds the process's random numbers", "seed", "aten::manual_seed"],
  ["it raises an exception", "raise", "prim::RaiseException"],
  ["it prints while it is compiled", "print at once", "aten::_print"],
  ["it divides by zero while it is compiled", "divide", "a division of integers by anything but a positive number"],
  ["it may divide by zero", "divide later", "a division of integers by anything but a positive number"],
  ["it hides a name", "divide by name", "a name in parts"],
  ["it never ends while it is compiled", "hang", "aten::count"],
  ["it reads outside of a tensor", "strided", "aten::as_strided"],
  ["it has a loop", "loop", "prim::Loop"],
  ["it calls an operator of another library", "custom", "quantized::relu6"],
  ["its calls are more than memory can hold", "multiplied", "more than 500000 nodes"],
];

describe("an export whose code was edited, in a directory whose manifest has its digest", () => {
  let served: T5ForConditionalGeneration;
  let expected: Float32Array;
  let expectedFused: Float32Array;
  const logits = async () => (await served.forward(INPUT)).logits.data;

  before(async () => {
    served = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu" });
    expected = await logits();
    await using fused = await T5ForConditionalGeneration.fromPretrained(demoModel, {
      device: "cpu",
      precision: "float32",
    });
    expectedFused = (await fused.forward(INPUT)).logits.data;
  });
  after(() => served?.dispose());

  async function withEdit(edit: string, use: (directory: string, target: string) => Promise<void>): Promise<void> {
    await withModelCopy(async (directory) => {
      const target = join(directory, "written");
      const copy = join(directory, "model.pt");
      execFileSync(pythonPath(), [EDITOR, join(demoModel, "model.pt"), copy, edit, target]);
      updateManifest(directory, "model.pt");
      await use(directory, target);
    });
  }

  const load = (directory: string, precision: "exact" | "float32") =>
    T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", precision });

  for (const [promise, edit, received] of edits) {
    it(`is refused when ${promise}, and has the same weights in float32, which compiles no code`, async () => {
      await withEdit(edit, async (directory, target) => {
        const message = new RegExp(`^Expected operators of a T5 in the archive but received ${received} \\(in __tor`);
        const error = { name: "T5Error", code: "ERR_MODEL_UNTRUSTED", message };
        await assert.rejects(load(directory, "exact"), error);
        await using fused = await load(directory, "float32");
        assert.deepEqual((await fused.forward(INPUT)).logits.data, expectedFused);
        assert.equal(existsSync(target), false);
        assert.deepEqual(await logits(), expected);
      });
    });
  }

  for (const file of ["hidden_states.pt", "attentions.pt"]) {
    it(`is refused at the first use of ${file} when its forward writes a file`, async () => {
      await withModelCopy(async (directory) => {
        const target = join(directory, "written");
        execFileSync(pythonPath(), [EDITOR, join(demoModel, file), join(directory, file), "forward", target]);
        updateManifest(directory, file);
        await using edited = await load(directory, "exact");
        const options = { outputHiddenStates: file === "hidden_states.pt", outputAttentions: file === "attentions.pt" };
        const message = /^Expected operators of a T5 in the archive but received aten::save/;
        await assert.rejects(edited.forward(INPUT, options), { code: "ERR_MODEL_UNTRUSTED", message });
        assert.equal(existsSync(target), false);
        assert.deepEqual((await edited.forward(INPUT)).logits.data, expected);
      });
    });
  }

  const beyond: readonly (readonly [promise: string, edit: string, reason: string])[] = [
    ["in a list", "long", "a definition of more than 50000 tokens"],
    ["in brackets", "nested", "an expression of more than 300 operators"],
    ["after signs", "chain", "an expression of more than 300 operators"],
    ["in a sum", "sum", "an expression of more than 300 operators"],
    ["after empty lines", "blank", "more than 1000 empty lines"],
    ["in functions that call one another", "chained", "more than 1000 definitions"],
  ];
  for (const [promise, edit, reason] of beyond) {
    it(`is refused when it would take the compiler's stack or time: ${promise}`, async () => {
      await withEdit(edit, async (directory) => {
        const message = new RegExp(`^Expected a TorchScript archive for model.pt .* \\(code with ${reason}\\)$`);
        await assert.rejects(load(directory, "exact"), { name: "T5Error", code: "ERR_MODEL_CORRUPT", message });
      });
    });
  }

  it("is refused when it has code that runs while it is loaded, whatever the code is", async () => {
    await withEdit("harmless setstate", async (directory) => {
      const error = { name: "T5Error", code: "ERR_MODEL_UNTRUSTED", message: /code that runs while it is loaded/ };
      await assert.rejects(load(directory, "exact"), error);
    });
  });

  it("is refused by the compiler of libtorch when a function calls itself", async () => {
    await withEdit("recursion", async (directory) => {
      await assert.rejects(load(directory, "exact"), { name: "T5Error", code: "ERR_MODEL_CORRUPT" });
    });
  });
});
