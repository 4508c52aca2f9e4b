import assert from "node:assert/strict";
import { runHelper } from "./exporter.js";
import { Folders } from "./folders.js";

interface Observed {
  readonly error: string | null;
  readonly left: readonly string[];
}

/** The message with which each fault of programs/faults.py is refused. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  "one bit of one weight": /Expected the weight encoder.final_layer_norm.weight in the archive but received 1 of 32 /,
  "one bit of the written file": /Expected the weight \S+ in the archive but received 1 of \d+ values that differ/,
  "forward's logits": /Expected forward's logits bitwise equal .* values that differ, by up to /,
  "forward's state": /Expected forward's decoder_last_hidden_state bitwise equal/,
  "ignored mask": /Expected forward's (logits|encoder_last_hidden_state) bitwise equal .*, padded\)/,
  "baked length": /Expected forward's logits bitwise equal .* float32 \[1, 3, \d+\] instead of float32 \[1, 19, \d+\]/,
  encode: /Expected encode's encoder_last_hidden_state bitwise equal/,
  step: /Expected step's logits bitwise equal/,
  cache: /Expected prefill's past\[3\] bitwise equal/,
  "little room": /Expected \d+ MiB of free disk space but .* has 0 MiB/,
  "full disk": /Could not write .*: no room is left on the disk/,
  "full disk at the end": /Could not write .*: no room is left on the disk/,
  training: /Expected a model in evaluation mode but received one with dropout on in T5ForConditionalGeneration/,
  "training of one block": /Expected a model in evaluation mode but received one with dropout on in decoder.block.0/,
  "half in memory": /Expected float32 weights but received float16 in shared.weight: call model.float\(\)/,
  "bfloat16 in memory": /Expected float32 weights but received bfloat16 in shared.weight/,
  "another class": /for model but received BertModel/,
  "spiece.model without its packages":
    /Expected the Python package google.protobuf, .*: run `npx torch-t5 setup --export`/,
  "hub unreachable": /Expected a directory or a hub name .* received owner\/model \(Name or service not known\)/,
};

const ACCEPTED = [
  "nothing",
  "model in memory",
  "a vocabulary of two",
  "no use of the cache",
  "settings of generate",
  "hub",
  "hub of sentence-transformers",
];

describe("an archive that is not bitwise the model is not exported", () => {
  const folders = new Folders();
  let observed: Readonly<Record<string, Observed>>;

  before(async function () {
    this.timeout(300_000);
    await folders.makeCheckpoints();
    observed = JSON.parse(await runHelper("faults", [folders.checkpoint("whole"), folders.empty()]));
  });

  after(() => folders.remove());

  for (const [fault, message] of Object.entries(REFUSED)) {
    it(`refuses: ${fault}`, () => {
      assert.match(observed[fault]?.error ?? "", message);
      assert.deepEqual(observed[fault]?.left, []);
    });
  }

  for (const name of ACCEPTED) {
    it(`exports: ${name}`, () => assert.deepEqual(observed[name], { error: null, left: ["exported"] }));
  }

  it("these are all faults of programs/faults.py", () => {
    assert.deepEqual(Object.keys(observed).sort(), [...Object.keys(REFUSED), ...ACCEPTED].sort());
  });
});
