import assert from "node:assert/strict";
import process, { env } from "node:process";
import { fileURLToPath } from "node:url";
import { runToEnd } from "../support/program.js";
import { FAILING_ALLOCATIONS } from "./programs/failing-allocations.js";

/** "all" allocations of each call, or "some" of them. */
const EXTENT = env.TORCH_T5_ALLOCATION_FAILURES ?? "some";
const PRECISIONS = EXTENT === "all" ? ["exact", "float32", "bfloat16", "int8"] : ["float32"];
/** See soak.spec.ts. */
const ALLOWED_GROWTH_MB = 60;

const program = fileURLToPath(new URL("./programs/allocation-failures.ts", import.meta.url));
const failedLoads = fileURLToPath(new URL("./programs/failed-loads.ts", import.meta.url));
/** A load that fails late has read a model of 4.6 MB. The heap keeps some memory for each thread. */
const ALLOWED_GROWTH_OF_LOADS_MB = 1;

// LD_PRELOAD and the names of libtorch's files are those of Linux.
if (process.platform === "linux") {
  describe("a load in exact whose allocations fail", () => {
    it("is refused with ERR_OUT_OF_MEMORY, and leaks nothing of the model's code and weights", async function () {
      this.timeout(120_000);
      const args = ["--expose-gc", "--import=tsx", failedLoads];
      const ended = await runToEnd(process.execPath, args, { env: { LD_PRELOAD: FAILING_ALLOCATIONS } });
      assert.equal(ended.code, 0, ended.stderr);
      const { failures, before, after } = JSON.parse(ended.stdout) as Readonly<
        Record<"failures" | "before" | "after", number>
      >;
      assert.ok(failures > 5, `${failures} failures`);
      const grownMb = (after - before) / 2 ** 20;
      assert.ok(grownMb < ALLOWED_GROWTH_OF_LOADS_MB, `grew by ${grownMb.toFixed(2)} MB`);
    });
  });

  describe("a model whose allocations fail", () => {
    for (const precision of PRECISIONS) {
      it(`refuses the call with ERR_OUT_OF_MEMORY, serves on with equal bits, and leaks nothing, in ${precision}`, async function () {
        this.timeout(EXTENT === "all" ? 0 : 300_000);
        const args = ["--expose-gc", "--import=tsx", program, precision, EXTENT];
        const ended = await runToEnd(process.execPath, args, { env: { LD_PRELOAD: FAILING_ALLOCATIONS } });
        assert.equal(ended.code, 0, ended.stderr);
        const { counts, rss } = JSON.parse(ended.stdout) as {
          readonly counts: Readonly<Record<string, number>>;
          readonly rss: readonly number[];
        };
        for (const [kind, count] of Object.entries(counts)) assert.ok(count > 1, `${count} failures of ${kind}`);
        assert.equal(Object.keys(counts).length, 12, Object.keys(counts).join());
        const [early = 0, late = 0] = [rss[3], rss.at(-1)];
        assert.ok(late - early < ALLOWED_GROWTH_MB, `grew from ${early} MB to ${late} MB`);
      });
    }
  });
}
