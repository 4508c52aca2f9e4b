// The post-processor of tokenizer.json, which adds the special tokens around a text: TemplateProcessing.
import {
  corruptSetting,
  type JsonObject,
  type PartReaders,
  readArray,
  readCount,
  readObject,
  readPart,
  readString,
  unsupportedSetting,
} from "./tokenizer-json.js";

/** The ids before and after those of a text. */
export interface Template {
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
}

export const EMPTY_TEMPLATE: Template = { prefix: [], suffix: [] };

const readers: PartReaders<Template> = {
  TemplateProcessing: readTemplate,
  Sequence: (settings, name) => {
    const [only, ...others] = readArray(settings.processors, `${name}.processors`);
    if (others.length > 0) throw unsupportedSetting("one processor", `${name}.processors`, settings.processors);
    return readPostProcessor(only, `${name}.processors[0]`);
  },
};

/** The template for a single text. Throws ERR_MODEL_CORRUPT. */
export function readPostProcessor(settings: unknown, name: string): Template {
  return settings === null || settings === undefined ? EMPTY_TEMPLATE : readPart(settings, name, readers);
}

function readTemplate(settings: JsonObject, name: string): Template {
  const tokens = readObject(settings.special_tokens, `${name}.special_tokens`);
  const prefix: number[] = [];
  const suffix: number[] = [];
  let hasText = false;
  for (const value of readArray(settings.single, `${name}.single`)) {
    const piece = readObject(value, `${name}.single`);
    if (piece.SpecialToken === undefined) {
      const { id } = readObject(piece.Sequence, `${name}.single`);
      if (id !== "A" || hasText) throw unsupportedSetting("the sequence A, once,", `${name}.single`, id);
      hasText = true;
      continue;
    }
    const id = readString(readObject(piece.SpecialToken, `${name}.single`).id, `${name}.single`);
    const { ids } = readObject(tokens[id], `${name}.special_tokens`);
    const list = readArray(ids, `${name}.special_tokens`).map((each) => readCount(each, `${name}.special_tokens`));
    (hasText ? suffix : prefix).push(...list);
  }
  if (!hasText) throw corruptSetting("the sequence A, once,", `${name}.single`, settings.single);
  return { prefix, suffix };
}
