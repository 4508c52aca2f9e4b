import assert from "node:assert/strict";
import process, { env } from "node:process";
import { fileURLToPath } from "node:url";
import { useModel } from "../support/model.js";
import { runToEnd } from "../support/program.js";
import { randomFrom } from "./load.js";
import { shareModel } from "./sharing.js";

/** Of all models together: 10,000 requests, or as many as TORCH_T5_LOAD_REQUESTS says. */
const REQUESTS = Number(env.TORCH_T5_LOAD_REQUESTS ?? 10_000);
/** Of each model whose processor has fewer instructions. */
const REQUESTS_OF_INSTRUCTIONS = Math.ceil(REQUESTS / 100);
const SEED = Number(env.TORCH_T5_SEED ?? Date.now() % 2 ** 31);

const PRECISIONS = ["float32", "bfloat16", "int8"] as const;
const MODELS = PRECISIONS.flatMap((precision) => [1, 2].map((intraOpThreads) => ({ precision, intraOpThreads })));

for (const [index, { precision, intraOpThreads }] of MODELS.entries()) {
  describe(`a model that many callers share, in ${precision} on ${intraOpThreads} threads,`, () => {
    const model = useModel({ precision, intraOpThreads, maxBatchSize: 24, maxBatchTokens: 300 });

    it(`gives each request the answer that it gets alone, bit for bit (seed ${SEED})`, async () => {
      await shareModel(model(), randomFrom(SEED + index), Math.ceil(REQUESTS / MODELS.length));
    });
  });
}

describe("a model that many callers share, on a processor with fewer instructions,", () => {
  const program = fileURLToPath(new URL("./programs/sharing.ts", import.meta.url));
  // Values of PyTorch's ATEN_CPU_CAPABILITY, which limits the fused engine as well. The newest instructions of this
  // processor are those of the tests above.
  for (const limit of ["default", "avx2", "avx512"]) {
    it(`gives each request the answer that it gets alone, bit for bit, limited to ${limit} (seed ${SEED})`, async function () {
      this.timeout(0);
      const args = ["--import=tsx", program, String(SEED), String(REQUESTS_OF_INSTRUCTIONS), ...PRECISIONS];
      const { code, stderr } = await runToEnd(process.execPath, args, { env: { ATEN_CPU_CAPABILITY: limit } });
      assert.equal(code, 0, stderr);
    });
  }
});
