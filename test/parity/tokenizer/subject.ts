// What is compared with the reference: any tokenizer, behind one small interface.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { T5Tokenizer } from "torch-t5";

const SETTINGS = "tokenizer_config.json";

interface Encoded {
  readonly ids: ArrayLike<number>;
  /** Start and end of each id in UTF-16 units; undefined where the tokenizer can't give them. */
  readonly offsets?: ArrayLike<number> | undefined;
}

/** A tokenizer under test. */
export interface Subject {
  encode(text: string): Encoded;
  decode(ids: readonly number[], skipSpecialTokens: boolean): string;
  /** The same in pieces, one after each id and one at the end, where the tokenizer can. */
  stream?(ids: readonly number[], skipSpecialTokens: boolean): readonly string[];
}

/** The public tokenizer of torch-t5, on a directory. */
export async function openTokenizer(directory: string): Promise<Subject> {
  const tokenizer = await T5Tokenizer.fromPretrained(directory);
  return {
    encode: (text) => tokenizer.encode(text),
    decode: (ids, skipSpecialTokens) => tokenizer.decode(ids, { skipSpecialTokens }),
    stream(ids, skipSpecialTokens) {
      const stream = tokenizer.decodeStream({ skipSpecialTokens });
      return [...ids.map((id) => stream.push(id)), stream.end()];
    },
  };
}

/** `@huggingface/tokenizers` on a directory: it gives no offsets. */
export function openPlain(directory: string): Subject {
  const read = (name: string) => JSON.parse(readFileSync(join(directory, name), "utf8"));
  const settings = existsSync(join(directory, SETTINGS)) ? read(SETTINGS) : {};
  const clean_up_tokenization_spaces = settings.clean_up_tokenization_spaces === true;
  const tokenizer = new Tokenizer(read("tokenizer.json"), settings);
  return {
    encode: (text) => ({ ids: tokenizer.encode(text).ids }),
    decode: (ids, skip_special_tokens) =>
      // It refuses to decode nothing.
      ids.length === 0 ? "" : tokenizer.decode([...ids], { skip_special_tokens, clean_up_tokenization_spaces }),
  };
}
