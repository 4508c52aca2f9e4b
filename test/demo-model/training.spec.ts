import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { pythonPath } from "../support/python.js";

const program = fileURLToPath(new URL("./train_briefly.py", import.meta.url));
const train = (seed: number) => execFileSync(pythonPath(), [program, String(seed)], { encoding: "utf8" }).trim();

describe("training of the embedded model", () => {
  it("ends at the same weights each time, and at others with another seed", () => {
    const weights = train(7);
    assert.match(weights, /^[0-9a-f]{64}$/);
    assert.equal(train(7), weights);
    assert.notEqual(train(8), weights);
  });
});
