// Greedy decoding with `forward`: the argmax of the last position, until every row has ended.
import type { T5ForConditionalGeneration } from "torch-t5";

const MAX_LENGTH = 16;

/** Answers each text. */
export async function answer(t5: T5ForConditionalGeneration, texts: readonly string[]): Promise<readonly string[]> {
  const { tokenizer, config } = t5;
  if (tokenizer === undefined) throw new Error("The embedded model has a tokenizer");
  const source = tokenizer.encodeBatch(texts);
  let rows: readonly (readonly number[])[] = texts.map(() => [config.decoderStartTokenId]);
  for (let length = 0; length < MAX_LENGTH && !rows.every((row) => row.includes(tokenizer.eosTokenId)); length++) {
    const { logits } = await t5.forward({ ...source, decoderInputIds: rows }, { positions: "last" });
    const next = logits.argmax().data;
    logits.dispose();
    rows = rows.map((row, index) => [...row, next[index] ?? tokenizer.padTokenId]);
  }
  return rows.map((row) => {
    const end = row.indexOf(tokenizer.eosTokenId);
    return tokenizer.decode(end === -1 ? row : row.slice(0, end), { skipSpecialTokens: true });
  });
}
