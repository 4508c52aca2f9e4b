// A trial of `@huggingface/tokenizers`, which has no batches.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { runTokenizerTrial } from "./tokenizing.mjs";

await runTokenizerTrial(async (directory) => {
  const tokenizer = new Tokenizer(JSON.parse(await readFile(join(directory, "tokenizer.json"), "utf8")), {});
  const encode = (text) => tokenizer.encode(text).ids;
  return { encode, encodeBatch: (texts) => texts.map(encode) };
});
