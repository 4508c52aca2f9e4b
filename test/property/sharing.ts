// Many callers of one model: each must get the answer that it gets alone.
import assert from "node:assert/strict";
import type { T5ForConditionalGeneration } from "torch-t5";
import { below, digest, type LoadRequest, type Random, randomRequest } from "./load.js";

const DISTINCT = 120;
const MAX_CALLERS = 48;

export interface Shared {
  readonly answered: number;
  readonly aborted: number;
}

/** Makes `count` random requests, many at a time. Throws at an answer with other bits than the same request alone has. */
export async function shareModel(t5: T5ForConditionalGeneration, random: Random, count: number): Promise<Shared> {
  const requests: { readonly request: LoadRequest; readonly alone: string }[] = [];
  while (requests.length < Math.min(DISTINCT, count)) {
    const request = randomRequest(random, t5.config.vocabSize);
    requests.push({ request, alone: digest(await request.run(t5)) });
  }
  let left = count;
  let aborted = 0;
  let answered = 0;
  const caller = async () => {
    while (left-- > 0) {
      const chosen = requests[below(random, requests.length)];
      assert.ok(chosen);
      const { request, alone } = chosen;
      const controller = new AbortController();
      const isAborted = below(random, 10) === 0;
      if (isAborted) setTimeout(() => controller.abort(), below(random, 5));
      try {
        const together = digest(await request.run(t5, controller.signal));
        assert.equal(together, alone, `the answer of a ${request.kind} request`);
        answered++;
      } catch (thrown) {
        if (!isAborted || thrown !== controller.signal.reason) throw thrown;
        aborted++;
      }
      if (below(random, 8) === 0) await new Promise((resolve) => setTimeout(resolve, below(random, 4)));
    }
  };
  await Promise.all(Array.from({ length: MAX_CALLERS }, caller));
  assert.ok(answered > aborted, `${answered} answers, ${aborted} aborted`);
  return { answered, aborted };
}
