import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Head } from "torch-t5";
import { useModel } from "../support/model.js";
import { runToEnd } from "../support/program.js";
import { pythonPath } from "../support/python.js";

const PROGRAM = `
import sys, torch
from torch import Tensor, nn

class Sum(nn.Module):
    def forward(self, encoder_last_hidden_state: Tensor, attention_mask: Tensor) -> Tensor:
        return (encoder_last_hidden_state * attention_mask.unsqueeze(-1)).sum(1)

torch.jit.script(Sum().eval()).save(sys.argv[1])
`;

describe("a head", () => {
  const model = useModel();
  const another = useModel();
  let directory: string;
  let path: string;
  let head: Head;

  before(async function () {
    this.timeout(120_000);
    directory = mkdtempSync(join(tmpdir(), "torch-t5-head-"));
    path = join(directory, "sum.pt");
    const program = join(directory, "sum.py");
    writeFileSync(program, PROGRAM);
    const { code, stderr } = await runToEnd(pythonPath(), [program, path]);
    assert.equal(code, 0, stderr);
    head = await model().loadHead(path);
  });
  after(() => {
    head?.dispose();
    rmSync(directory, { recursive: true, force: true });
  });

  it("names its parameters, and returns its output instead of logits", async () => {
    assert.deepEqual(head.inputs, ["encoder_last_hidden_state", "attention_mask"]);
    const result = await model().forward(["spell number: 7", "seven"], { head });
    assert.deepEqual(Object.keys(result), ["headOutput"]);
    assert.deepEqual(result.headOutput.shape, [2, model().config.dModel]);
  });

  it("can be combined with a loss and hidden states", async () => {
    const input = { text: "spell number: 7", target: "seven" };
    const { headOutput, loss, encoderLastHiddenState } = await model().forward(input, {
      head,
      loss: true,
      hiddenStates: true,
    });
    assert.equal(loss, (await model().forward(input, { loss: true })).loss);
    const [, length = 0, dModel = 0] = encoderLastHiddenState.shape;
    for (let axis = 0; axis < dModel; axis++) {
      let sum = 0;
      for (let position = 0; position < length; position++) sum += encoderLastHiddenState.row(0, position)[axis] ?? 0;
      assert.ok(Math.abs(sum - (headOutput.data[axis] ?? 0)) < 1e-4);
    }
  });

  it("can't be combined with options that select logits", async () => {
    for (const option of [{ positions: "last" }, { tokens: [5] }, { topK: 1 }] as const) {
      const [name] = Object.keys(option);
      const message = new RegExp(`nothing, as options.head leaves no logits .* for options.${name}`);
      await assert.rejects(model().forward("a", { head, ...option } as never), {
        code: "ERR_INVALID_ARGUMENT",
        message,
      });
    }
  });

  it("works with the model that loaded it only", async () => {
    const message = /a head of this model for options.head but received one of another model/;
    await assert.rejects(another().forward("a", { head }), { code: "ERR_INVALID_ARGUMENT", message });
  });

  it("serves calls made before it was disposed, and no later ones", async () => {
    const loaded = await model().loadHead(pathToFileURL(path));
    const pending = model().forward("a", { head: loaded });
    loaded.dispose();
    loaded[Symbol.dispose]();
    assert.equal((await pending).headOutput.shape[0], 1);
    const message = /a head in use for options.head but it was disposed/;
    await assert.rejects(model().forward("a", { head: loaded }), { code: "ERR_DISPOSED", message });
  });

  it("is refused if the file is not TorchScript, or a directory", async () => {
    const wrong = join(directory, "wrong.pt");
    writeFileSync(wrong, "not a module");
    await assert.rejects(model().loadHead(wrong), { name: "T5Error", code: "ERR_MODEL_CORRUPT" });
    await assert.rejects(model().loadHead(directory), { name: "T5Error", code: "ERR_MODEL_NOT_FOUND" });
  });
});
