// Compares the tokens of greedy and beam search with Hugging Face's, row by row.
import type { GenerateOptions } from "torch-t5";
import type { Shape } from "../../parity/cases.js";
import { askGenerate } from "../../parity/generating.js";
import type { Finding, Settings } from "./settings.js";
import { eachSubject, inputsOf, THREADS } from "./subject.js";

const STEPS = 24;
const SHAPES: readonly Shape[] = [
  { batch: 1, sourceLength: 13, targetLength: 1, masking: "none" },
  { batch: 6, sourceLength: 40, targetLength: 1, masking: "right" },
];
const STRATEGIES: Readonly<Record<string, GenerateOptions>> = {
  greedy: { doSample: false },
  "4 beams": { doSample: false, numBeams: 4, numReturnSequences: 2 },
};

/** One finding for each model and strategy. In precisions that promise the same tokens, every row must be equal. */
export async function* generation(settings: Settings): AsyncIterable<Finding> {
  const promisesTokens = settings.precision === "exact" || settings.precision === "float32";
  for await (const subject of eachSubject(settings)) {
    for (const [name, strategy] of Object.entries(STRATEGIES)) {
      const options = { maxNewTokens: STEPS, eosTokenId: [], ...strategy };
      let [rows, equal, tokens, equalTokens] = [0, 0, 0, 0];
      for (const shape of SHAPES) {
        const { source } = inputsOf(subject, shape);
        const request = { model: subject.name, threads: THREADS, ...source, options };
        const expected = (await askGenerate(subject.reference, request)).sequences;
        const { sequences } = await subject.t5.generate(source, options);
        for (const [index, wanted] of expected.entries()) {
          const found = sequences.row(index);
          const same = wanted.filter((id, position) => found[position] === id).length;
          rows += 1;
          equal += found.length === wanted.length && same === wanted.length ? 1 : 0;
          tokens += wanted.length;
          equalTokens += same;
        }
      }
      yield {
        subject: `${subject.name}, ${name}`,
        passed: !promisesTokens || equal === rows,
        measured: { "equal rows": `${equal} of ${rows}`, "equal tokens": `${equalTokens} of ${tokens}` },
      };
    }
  }
}
