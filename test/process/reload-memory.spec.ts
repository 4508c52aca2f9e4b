import assert from "node:assert/strict";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runToEnd } from "../support/program.js";
import { FAILING_ALLOCATIONS } from "./programs/failing-allocations.js";

const program = fileURLToPath(new URL("./programs/reload-memory.ts", import.meta.url));

// The library that counts memory is for Linux.
if (process.platform === "linux") {
  describe("the model that reload replaces", () => {
    it("is kept while a call or an object uses it, and freed right after that", async () => {
      const ended = await runToEnd(process.execPath, ["--expose-gc", "--import=tsx", program], {
        env: { LD_PRELOAD: FAILING_ALLOCATIONS },
      });
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal(ended.stdout.trim().split("\n").length, 10, ended.stdout);
    });
  });
}
