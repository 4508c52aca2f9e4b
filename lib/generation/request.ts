// A call of `generate` or `stream`, checked and copied: what native code is told, and what stays on this side.

import type { ModelHandle } from "../calls/call.js";
import { type CheckedSource, EncoderOutput, readSource, type Source } from "../calls/encoder-output.js";
import { startRows } from "../inputs/batch.js";
import { readIds, type TokenIds } from "../inputs/ids.js";
import {
  checkBatch,
  type IdSource,
  readFields,
  readSourceIds,
  refuseBoth,
  SOURCE_FIELDS,
  type TextSource,
  type TokenizedSource,
} from "../inputs/source.js";
import type { NativeGenerateRequest } from "../native/types.js";
import type { IdMatrix } from "../tokenizer/padded-batch.js";
import { checkSignal, readOptions } from "../util/call-options.js";
import { checkFlag, expected } from "../util/validation.js";
import { readFileSettings, refuseMissing } from "./config.js";
import type { LogitsProcessor } from "./options.js";
import { type CallerSettings, mergeSettings } from "./resolve.js";
import { checkSeed, checkSettings, SETTING_NAMES } from "./settings.js";

/** What was encoded before, as a property. */
export interface EncoderOutputSource {
  readonly encoderOutput: EncoderOutput;
  readonly text?: undefined;
  readonly inputIds?: undefined;
}

/** What the decoder begins with. */
export interface DecoderPrompt {
  /** `[batch, n]`. As in Hugging Face, the decoder start id is put in front where no row begins with it. */
  readonly decoderInputIds?: TokenIds | undefined;
}

/** What `generate` and `stream` take. */
export type GenerateInput = Source | ((TextSource | IdSource | TokenizedSource | EncoderOutputSource) & DecoderPrompt);

/** A generation that is ready to start. */
export interface Generation {
  readonly request: Omit<NativeGenerateRequest, "id">;
  readonly processor: LogitsProcessor | undefined;
}

/** The options of a call, checked. */
export interface GenerationCall {
  readonly settings: CallerSettings;
  readonly processor: LogitsProcessor | undefined;
  readonly signal: AbortSignal | undefined;
}

const OPTIONS = [...SETTING_NAMES, "seed", "returnLogits", "returnScores", "logitsProcessor", "signal"] as const;
const INPUT = [...SOURCE_FIELDS, "encoderOutput", "decoderInputIds"] as const;

/** Reads the options. Throws ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE. */
export function readGenerationOptions(options: unknown, vocabSize: number): GenerationCall {
  refuseMissing(options);
  const { seed, returnLogits, returnScores, logitsProcessor, signal, ...given } = readOptions(options, OPTIONS);
  if (logitsProcessor !== undefined && !isProcessor(logitsProcessor)) {
    throw expected("a function", "options.logitsProcessor", logitsProcessor);
  }
  return {
    settings: {
      ...checkSettings(given, (name) => `options.${name}`, vocabSize),
      seed: seed === undefined ? undefined : checkSeed(seed, "options.seed"),
      returnLogits: checkFlag(returnLogits, "options.returnLogits"),
      returnScores: checkFlag(returnScores, "options.returnScores"),
    },
    processor: logitsProcessor,
    signal: checkSignal(signal),
  };
}

/** Reads the input and settles the options by it. Throws ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE, ERR_DISPOSED. */
export function readGeneration(
  input: unknown,
  { settings, processor }: GenerationCall,
  model: ModelHandle,
): Generation {
  const { vocabSize } = model.config;
  const file = readFileSettings(model.generationConfig, vocabSize);
  const startId = file.decoderStartTokenId ?? model.config.decoderStartTokenId;
  const { batch, native: source, decoderInputIds } = readInput(input, model);
  const prompt = beginWith(startId, decoderInputIds, batch);
  const options = mergeSettings(settings, file, {
    batch,
    promptLength: prompt.length,
    vocabSize,
    hasTokenizer: model.tokenizer !== undefined,
  });
  if (options.stopStrings.length > 0) uploadTokenTexts(model);
  return { request: { source, targetLength: prompt.length, decoderInputIds: prompt.data, options }, processor };
}

interface GivenInput extends CheckedSource {
  readonly decoderInputIds: IdMatrix | undefined;
}

function readInput(input: unknown, model: ModelHandle): GivenInput {
  if (EncoderOutput.is(input)) return { ...readSource(input, "input", model), decoderInputIds: undefined };
  const fields = readFields(input, "input", INPUT);
  const source = readFieldsSource(fields, model);
  if (fields.decoderInputIds === undefined) return { ...source, decoderInputIds: undefined };
  const decoderInputIds = readIds(fields.decoderInputIds, "decoderInputIds", model.config.vocabSize);
  checkBatch(decoderInputIds.batch, source.batch, "decoderInputIds");
  return { ...source, decoderInputIds };
}

function readFieldsSource(
  fields: Readonly<Partial<Record<(typeof INPUT)[number], unknown>>>,
  model: ModelHandle,
): CheckedSource {
  const { encoderOutput } = fields;
  if (encoderOutput === undefined) {
    const native = readSourceIds(fields, model, "input");
    return { batch: native.batch, native };
  }
  for (const name of SOURCE_FIELDS) refuseBoth(fields, "encoderOutput", name, "input");
  if (!EncoderOutput.is(encoderOutput)) throw expected("an EncoderOutput", "encoderOutput", encoderOutput);
  return readSource(encoderOutput, "encoderOutput", model);
}

/** The decoder's input: Hugging Face's `_prepare_decoder_input_ids_for_generation`. */
function beginWith(startId: number, ids: IdMatrix | undefined, batch: number): IdMatrix {
  if (ids === undefined) return startRows(batch, startId);
  const { length, data } = ids;
  for (let row = 0; row < batch; row++) if (data[row * length] === startId) return ids;
  const longer = new Int32Array(batch * (length + 1));
  for (let row = 0; row < batch; row++) {
    longer[row * (length + 1)] = startId;
    longer.set(data.subarray(row * length, (row + 1) * length), row * (length + 1) + 1);
  }
  return { batch, length: length + 1, data: longer };
}

/** Tells native code the text of every id, once for each model. */
function uploadTokenTexts(model: ModelHandle): void {
  if (model.hasTokenTexts || model.tokenizer === undefined) return;
  const { bytes, offsets } = model.tokenizer.tokenTexts(model.config.vocabSize);
  model.native.uploadTokenTexts(bytes, offsets);
  model.hasTokenTexts = true;
}

function isProcessor(value: unknown): value is LogitsProcessor {
  return typeof value === "function";
}
