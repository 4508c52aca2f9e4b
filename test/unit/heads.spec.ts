import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { demoModel, type Head, T5ForConditionalGeneration } from "torch-t5";
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

/** Writes heads of layers that are often used, and heads that do more than compute with tensors. */
const MORE_HEADS = `
import sys, torch, warnings
from torch import Tensor, nn
warnings.simplefilter("ignore")
folder, target, size = sys.argv[1], sys.argv[2], int(sys.argv[3])

class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(size, size, 3, padding=1)
        self.cell = nn.GRUCell(size, size)
        self.norm = nn.BatchNorm1d(size)
        self.layers = nn.ModuleList([nn.Linear(size, size), nn.Linear(size, size)])
        self.head = nn.Sequential(nn.LayerNorm(size), nn.Dropout(0.1), nn.GELU(), nn.Linear(size, 3), nn.Softmax(-1))
        self.loss = nn.CrossEntropyLoss(ignore_index=-100)
        self.mse = nn.MSELoss()

    def forward(self, encoder_last_hidden_state: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.convolution(encoder_last_hidden_state.transpose(1, 2)).transpose(1, 2)
        hidden = hidden + self.cell(hidden.mean(1)).unsqueeze(1)
        for layer in self.layers:
            hidden = torch.relu(layer(hidden))
        rows = []
        for row in range(hidden.size(0)):
            rows.append(hidden[row].mean(0))
        scores = self.head(self.norm(torch.stack(rows)))
        assert scores.dim() == 2, "two axes"
        if scores.size(0) > 100:
            raise ValueError(f"{scores.size(0)} rows")
        return scores + self.loss(scores, scores.argmax(-1)) + self.mse(scores, scores)

class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(4096, size)
    def forward(self, logits: Tensor) -> Tensor:
        return self.bag(logits.argmax(-1))

class Saves(nn.Module):
    target: str
    def __init__(self) -> None:
        super().__init__()
        self.target = target
    def forward(self, logits: Tensor) -> Tensor:
        torch.ops.aten.save(logits, self.target)
        return logits[:, -1]

class Prints(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        if logits.size(0) > 1000:
            print("many")
        return logits[:, -1]

class Random(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return torch.rand_like(logits)[:, -1]

class Endless(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        while logits.size(0) > 0:
            logits = logits + 1
        return logits

class Empty(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return torch.empty(logits.size(0))

for module in (Layers(), Bag(), Saves(), Prints(), Random(), Endless(), Empty()):
    torch.jit.script(module.eval()).save(f"{folder}/{type(module).__name__}.pt")
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

  it("is loaded onto every replica", async () => {
    const replicas = ["cpu", "cpu"] as const;
    await using t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { replicas, intraOpThreads: 1 });
    using loaded = await t5.loadHead(path);
    assert.deepEqual(loaded.inputs, head.inputs);
    const texts = ["spell number: 7", "date to iso: March 5, 2021", "spell number: 48213", "7"];
    const received = await Promise.all(texts.map((text) => t5.forward(text, { head: loaded })));
    for (const [index, text] of texts.entries()) {
      const { headOutput } = await model().forward(text, { head });
      assert.deepEqual(received[index]?.headOutput.data, headOutput.data);
    }
    await assert.rejects(t5.loadHead(join(directory, "sum.py")), { code: "ERR_MODEL_CORRUPT" });
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

  describe("whose code is read before it runs", () => {
    let target = "";
    const fileOf = (name: string) => join(directory, `${name}.pt`);

    before(async function () {
      this.timeout(120_000);
      target = join(directory, "written");
      const program = join(directory, "more.py");
      writeFileSync(program, MORE_HEADS);
      const { code, stderr } = await runToEnd(pythonPath(), [
        program,
        directory,
        target,
        String(model().config.dModel),
      ]);
      assert.equal(code, 0, stderr);
    });

    it("may use the layers, losses, loops and errors of PyTorch", async () => {
      using layers = await model().loadHead(fileOf("Layers"));
      const { headOutput } = await model().forward(["spell number: 7", "eight"], { head: layers });
      assert.deepEqual(headOutput.shape, [2, 3]);
    });

    const refused = [
      ["writes a file", "Saves", "aten::save"],
      ["has an operator that reads outside of tensors for bad arguments", "Bag", "aten::embedding_bag"],
      ["prints in a branch that is never taken", "Prints", "prim::Print"],
      ["draws random numbers", "Random", "aten::rand_like"],
      ["may never end", "Endless", "prim::Loop without a limit"],
      ["returns uninitialized memory", "Empty", "aten::empty"],
    ] as const;
    for (const [promise, name, received] of refused) {
      it(`is refused if it ${promise}, with the name of the operator`, async () => {
        const message = new RegExp(
          `^Expected operators on tensors in the head but received ${received} \\(in .*trusted`,
        );
        for (const options of [undefined, {}, { trusted: false }]) {
          const promise = model().loadHead(fileOf(name), options);
          await assert.rejects(promise, { name: "T5Error", code: "ERR_MODEL_UNTRUSTED", message });
        }
        assert.equal((await model().forward("a", { head })).headOutput.shape[0], 1);
      });
    }

    it("does what it likes if it is trusted", async () => {
      using bag = await model().loadHead(fileOf("Bag"), { trusted: true });
      const { headOutput } = await model().forward(["a", "b"], { head: bag });
      assert.equal(headOutput.shape[0], 2);
      using saves = await model().loadHead(fileOf("Saves"), { trusted: true });
      assert.equal(existsSync(target), false);
      await model().forward({ text: "a", target: "b" }, { head: saves });
      assert.equal(existsSync(target), true);
    });

    it("is not trusted by another value than true or false", async () => {
      const message = /a boolean for options.trusted but received 1/;
      const promise = model().loadHead(path, { trusted: 1 as never });
      await assert.rejects(promise, { code: "ERR_INVALID_ARGUMENT", message });
    });
  });

  it("is refused if the file is not TorchScript, or a directory", async () => {
    const wrong = join(directory, "wrong.pt");
    writeFileSync(wrong, "not a module");
    await assert.rejects(model().loadHead(wrong), { name: "T5Error", code: "ERR_MODEL_CORRUPT" });
    await assert.rejects(model().loadHead(directory), { name: "T5Error", code: "ERR_MODEL_NOT_FOUND" });
  });
});
