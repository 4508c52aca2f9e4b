// TemplateProcessing: the tokens around a text.
import type { Template } from "./codec.js";
import { corrupt, type Json, makerOf, readArray, readCount, readRecord, readString } from "./settings.js";

const NOTHING: Template = { before: [], behind: [] };

const makers = new Map<string, (settings: Json, name: string) => Template>([
  ["TemplateProcessing", readTemplate],
  [
    "Sequence",
    (settings, name) => {
      const [only, ...others] = readArray(settings.processors, `${name}.processors`);
      if (others.length > 0) throw corrupt("one processor", `${name}.processors`, settings.processors);
      return readPostProcessor(only, `${name}.processors[0]`);
    },
  ],
]);

/** The template of tokenizer.json's post_processor for a single text. Throws ERR_MODEL_CORRUPT. */
export function readPostProcessor(settings: unknown, name: string): Template {
  if (settings === null || settings === undefined) return NOTHING;
  const record = readRecord(settings, name);
  return makerOf(record, name, makers)(record, name);
}

function readTemplate(settings: Json, name: string): Template {
  const tokens = readRecord(settings.special_tokens, `${name}.special_tokens`);
  const before: number[] = [];
  const behind: number[] = [];
  let hasText = false;
  for (const value of readArray(settings.single, `${name}.single`)) {
    const piece = readRecord(value, `${name}.single`);
    if (piece.SpecialToken === undefined) {
      const { id } = readRecord(piece.Sequence, `${name}.single`);
      if (id !== "A" || hasText) throw corrupt("the sequence A, once,", `${name}.single`, id);
      hasText = true;
      continue;
    }
    const id = readString(readRecord(piece.SpecialToken, `${name}.single`).id, `${name}.single`);
    const { ids } = readRecord(tokens[id], `${name}.special_tokens`);
    const list = readArray(ids, `${name}.special_tokens`).map((each) => readCount(each, `${name}.special_tokens`));
    (hasText ? behind : before).push(...list);
  }
  if (!hasText) throw corrupt("the sequence A, once,", `${name}.single`, settings.single);
  return { before, behind };
}
