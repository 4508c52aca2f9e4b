// Random tokenizers against Rust: whatever steps a tokenizer.json has, it is executed exactly or refused by name.
import assert from "node:assert/strict";
import { T5Error } from "torch-t5";
import { openPair } from "./cases.js";
import { type Extent, SHORT } from "./corpora/index.js";
import { assertNone, compareCorpora, compareDecoding } from "./parity.js";
import { sharedRust } from "./shared.js";

const ROWS = 300;
/** Such as tokens that normalization makes one and the same. */
const MOST_REFUSED = 0.05;
/** Many tokenizers, few strings of each kind. */
const FEW: Extent = { ...SHORT, codePointStep: 397, markStep: 4001, randomTexts: 80, messageStep: 997 };

/** Compares the tokenizers of seeds, nearly all of which must load. Resolves to how many texts were compared. */
export async function comparePipelines(firstSeed: number, count: number, messages: readonly string[]): Promise<number> {
  let compared = 0;
  const refused: string[] = [];
  const failures: string[] = [];
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    try {
      const name = `pipeline ${seed}`;
      const pair = await openPair(sharedRust(), { name, directory: (rust) => rust.pipeline(seed) });
      const texts = await compareCorpora(pair, FEW, seed, messages);
      compared += texts.compared;
      assertNone(pair, texts);
      assertNone(pair, await compareDecoding(pair, ROWS, seed));
    } catch (error) {
      const isRefusal = error instanceof T5Error && error.code === "ERR_MODEL_CORRUPT";
      (isRefusal ? refused : failures).push(`pipeline ${seed}: ${error instanceof Error ? error.message : error}`);
    }
  }
  assert.ok(refused.length <= count * MOST_REFUSED, `Too many refusals:\n${refused.join("\n")}`);
  assert.equal(failures.length, 0, `${failures.length} of ${count} random tokenizers differ:\n${failures.join("\n")}`);
  return compared;
}
