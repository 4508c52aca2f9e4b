// Truncation of texts that are too long: its options, and the defaults in a tokenizer's files.
import { corrupt } from "../util/json.js";
import { checkFlag, checkInteger, expected, isRecord, refused } from "../util/validation.js";
import type { JsonObject } from "./tokenizer-json.js";

/** Whether, and to how many ids, a longer text is truncated. The ids that the tokenizer adds count. */
export interface TruncationOptions {
  /** Longer texts are truncated to this many ids, of which the last is still the end-of-sequence id. */
  readonly maxLength?: number | undefined;
  /**
   * Hugging Face's `truncation=True`: longer texts are truncated to `maxLength`, or without it to the tokenizer's
   * `modelMaxLength`. `maxLength` alone truncates, too.
   */
  readonly truncation?: boolean | undefined;
}

/** What the files of a tokenizer state about truncation. */
export interface TruncationSettings {
  /** The length for `truncation` without `maxLength`; undefined: the files state none. */
  readonly modelMaxLength: number | undefined;
  /** The side that ids are removed from. */
  readonly side: "left" | "right";
}

export const TRUNCATION_OPTIONS = ["maxLength", "truncation"] as const;

/** Lengths over this count as none: transformers' `LARGE_INTEGER`. Where there is no length it saves 1e30. */
const LARGE_LENGTH = 1e20;

/**
 * The maximum number of ids, or undefined where nothing is truncated. `prefix` comes before the options' names in
 * messages. Throws ERR_INVALID_ARGUMENT, also where Hugging Face would ignore the options.
 */
export function readMaxLength(
  given: Readonly<Partial<Record<(typeof TRUNCATION_OPTIONS)[number], unknown>>>,
  prefix: string,
  { modelMaxLength }: Pick<TruncationSettings, "modelMaxLength">,
): number | undefined {
  const { maxLength, truncation } = given;
  const truncates = checkFlag(truncation, `${prefix}truncation`);
  if (maxLength !== undefined) {
    const checked = checkInteger(maxLength, `${prefix}maxLength`, 1);
    if (truncation === false) throw expected("true, as maxLength is given,", `${prefix}truncation`, truncation);
    return checked;
  }
  if (!truncates) return undefined;
  if (modelMaxLength === undefined) {
    const what = "maxLength alongside it, as the tokenizer has no model_max_length,";
    throw refused(what, `${prefix}truncation`, "none");
  }
  return modelMaxLength;
}

/** transformers' defaults: those of tokenizer_config.json, then those of tokenizer.json. Throws ERR_MODEL_CORRUPT. */
export function readTruncationSettings(config: JsonObject, tokenizerJson: JsonObject | undefined): TruncationSettings {
  const { model_max_length: length, truncation_side: side } = config;
  const hasLength = typeof length === "number" && Number.isInteger(length) && length >= 1 && length <= LARGE_LENGTH;
  return {
    modelMaxLength: hasLength ? length : undefined,
    side: side === undefined ? savedSide(tokenizerJson?.truncation) : checkSide(side),
  };
}

function savedSide(truncation: unknown): TruncationSettings["side"] {
  return isRecord(truncation) && truncation.direction === "Left" ? "left" : "right";
}

function checkSide(side: unknown): TruncationSettings["side"] {
  if (side === "left" || side === "right") return side;
  throw corrupt('"left" or "right"', "truncation_side in tokenizer_config.json", side);
}
