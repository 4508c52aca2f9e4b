import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { pythonPath } from "../support/python.js";

const program = fileURLToPath(new URL("./train_briefly.py", import.meta.url));

/** Trains with each seed in turn, in one process. Returns the digests of the weights. */
const train = (...seeds: readonly number[]) =>
  execFileSync(pythonPath(), [program, ...seeds.map(String)], { encoding: "utf8" })
    .trim()
    .split("\n");

describe("training of the embedded model", () => {
  it("gives the same weights for the same seed in every process, and others for another seed", () => {
    const [otherSeed, weights] = train(8, 7);
    assert.match(weights ?? "", /^[0-9a-f]{64}$/);
    assert.deepEqual(train(7), [weights]);
    assert.notEqual(otherSeed, weights);
  });
});
