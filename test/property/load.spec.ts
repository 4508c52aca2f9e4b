import assert from "node:assert/strict";
import { env } from "node:process";
import { useModel } from "../support/model.js";
import { below, digest, type LoadRequest, randomFrom, randomRequest } from "./load.js";

/** Of all models together: 10,000 requests, or as many as TORCH_T5_LOAD_REQUESTS says. */
const REQUESTS = Number(env.TORCH_T5_LOAD_REQUESTS ?? 10_000);
const DISTINCT = 120;
const MAX_CALLERS = 48;

const MODELS = (["float32", "bfloat16", "int8"] as const).flatMap((precision) =>
  [1, 2].map((intraOpThreads) => ({ precision, intraOpThreads })),
);

for (const [index, { precision, intraOpThreads }] of MODELS.entries()) {
  describe(`a model that many callers share, in ${precision} on ${intraOpThreads} threads,`, () => {
    const model = useModel({ precision, intraOpThreads, maxBatchSize: 24, maxBatchTokens: 300 });
    const seed = Number(env.TORCH_T5_SEED ?? Date.now() % 2 ** 31) + index;

    it(`gives each request the answer that it gets alone, bit for bit (seed ${seed - index})`, async () => {
      const random = randomFrom(seed);
      const requests: { readonly request: LoadRequest; readonly alone: string }[] = [];
      for (let count = 0; count < DISTINCT; count++) {
        const request = randomRequest(random, model().config.vocabSize);
        requests.push({ request, alone: digest(await request.run(model())) });
      }
      let left = Math.ceil(REQUESTS / MODELS.length);
      let aborted = 0;
      const answered = { count: 0 };
      const caller = async () => {
        while (left-- > 0) {
          const chosen = requests[below(random, DISTINCT)];
          assert.ok(chosen);
          const { request, alone } = chosen;
          const controller = new AbortController();
          const isAborted = below(random, 10) === 0;
          if (isAborted) setTimeout(() => controller.abort(), below(random, 5));
          try {
            const together = digest(await request.run(model(), controller.signal));
            assert.equal(together, alone, `the answer of a ${request.kind} request`);
            answered.count++;
          } catch (thrown) {
            if (!isAborted || thrown !== controller.signal.reason) throw thrown;
            aborted++;
          }
          if (below(random, 8) === 0) await new Promise((resolve) => setTimeout(resolve, below(random, 4)));
        }
      };
      await Promise.all(Array.from({ length: MAX_CALLERS }, caller));
      assert.ok(answered.count > aborted, `${answered.count} answers, ${aborted} aborted`);
    });
  });
}
