// A trial of torch-t5's tokenizer.
import { T5Tokenizer } from "torch-t5";
import { runTokenizerTrial } from "./tokenizing.mjs";

await runTokenizerTrial(async (directory) => {
  const tokenizer = await T5Tokenizer.fromPretrained(directory);
  return {
    encode: (text) => tokenizer.encode(text).ids,
    encodeBatch: (texts) => tokenizer.encodeBatch(texts),
    encodeBatchAsync: (texts) => tokenizer.encodeBatchAsync(texts),
  };
});
