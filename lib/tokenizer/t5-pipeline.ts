// The pipeline that transformers' class T5Tokenizer builds from a vocabulary, whatever else a checkpoint's files state:
// https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/t5/tokenization_t5.py
import { corrupt } from "../util/json.js";
import { isRecord } from "../util/validation.js";
import {
  CONTROL,
  EXPORTED,
  type Piece,
  type SentencePieceModel,
  UNKNOWN,
  USER_DEFINED,
} from "./sentencepiece-model.js";
import { type JsonObject, readArray, readObject, unsupportedSetting } from "./tokenizer-json.js";
import { contradiction, extraToken, type Token, type TokenSettings, textToken } from "./tokenizer-settings.js";
import { unsupported } from "./unsupported.js";

/** T5Tokenizer takes this id for unknown text. */
const UNKNOWN_ID = 2;
/** The number of sentinels where no file states it. */
const EXTRA_IDS = 100;
const METASPACE = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };

/** What T5Tokenizer makes of a spiece.model, as a tokenizer.json. Throws ERR_MODEL_CORRUPT. */
export function pipelineOfSpiece(
  { pieces, charsmap }: SentencePieceModel,
  name: string,
  extraIds = EXTRA_IDS,
): JsonObject {
  const unknown: Piece | undefined = pieces[UNKNOWN_ID];
  if (unknown?.type !== UNKNOWN) {
    const what = `the piece for unknown text, which T5Tokenizer takes from there ${EXPORTED},`;
    // A file that is cut off or empty has no such piece at all.
    const refusal = unknown === undefined ? corrupt : unsupported;
    throw refusal(what, `pieces[${UNKNOWN_ID}] in ${name}`, unknown?.text);
  }
  const vocabulary: (readonly [text: string, score: number])[] = pieces.map(({ text, score }) => [text, score]);
  for (let index = extraIds - 1; index >= 0; index--) vocabulary.push([extraToken(index), 0]);
  return pipeline(vocabulary, charsmap.length === 0 ? undefined : Buffer.from(charsmap).toString("base64"));
}

/**
 * What T5Tokenizer makes of a tokenizer.json, as one: it takes the vocabulary and the first charsmap, and builds the
 * rest anew. Throws ERR_MODEL_CORRUPT.
 */
export function pipelineOfFile(tokenizerJson: JsonObject): JsonObject {
  const model = readObject(tokenizerJson.model, "model");
  const { unk_id: unknown } = model;
  if (unknown !== UNKNOWN_ID)
    throw unsupportedSetting(`${UNKNOWN_ID}, which T5Tokenizer takes ${EXPORTED},`, "model.unk_id", unknown);
  const { normalizer } = tokenizerJson;
  const isSequence = isRecord(normalizer) && normalizer.type === "Sequence";
  const normalizers = isSequence ? readArray(normalizer.normalizers, "normalizer.normalizers") : [normalizer];
  const charsmap = normalizers.find((each) => isRecord(each) && each.type === "Precompiled");
  const made = pipeline(model.vocab, isRecord(charsmap) ? charsmap.precompiled_charsmap : undefined);
  return { ...made, model: { ...model, ...readObject(made.model, "model") } };
}

/** The special tokens with a name that T5Tokenizer has by default. */
export const T5_TOKENS = new Map([
  ["eos_token", textToken("</s>")],
  ["unk_token", textToken("<unk>")],
  ["pad_token", textToken("<pad>")],
]);

/**
 * T5Tokenizer's special tokens without a name: those of the files, or else of the spiece.model, and the sentinels.
 * Throws ERR_MODEL_CORRUPT where there are sentinels whose number contradicts `extra_ids`, as Python does.
 */
export function extraT5Tokens(settings: TokenSettings, spiece: SentencePieceModel | undefined): readonly Token[] {
  const { extraIds = EXTRA_IDS } = settings;
  const given = (spiece ? controlTokens(spiece) : settings.additional) ?? [];
  const count = given.filter(({ content }) => content.includes("<extra_id_")).length;
  if (count > 0 && extraIds > 0 && count !== extraIds) throw contradiction(extraIds, count);
  if (settings.extra !== undefined || count > 0) return settings.extra ?? given;
  return [...given, ...Array.from({ length: extraIds }, (_, index) => textToken(extraToken(index)))];
}

/** The pieces that transformers finds before the model divides a text. Only control pieces are special. */
function controlTokens({ pieces }: SentencePieceModel): readonly Token[] {
  return pieces
    .filter(({ type }) => type === CONTROL || type === USER_DEFINED)
    .map(({ text, type }) => ({ ...textToken(text), special: type === CONTROL, isText: false }));
}

function pipeline(vocabulary: unknown, charsmap: unknown): JsonObject {
  return {
    added_tokens: [],
    normalizer: charsmap === undefined ? null : { type: "Precompiled", precompiled_charsmap: charsmap },
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, METASPACE] },
    decoder: METASPACE,
    model: { unk_id: UNKNOWN_ID, vocab: vocabulary, byte_fallback: false },
  };
}
