// The arguments of `generate` and `stream`: read, checked and copied into a request to native code.
import type { ModelHandle } from "../calls/call.js";
import { batchOf, EncoderOutput, type ReadSource, readSource, type Source } from "../calls/encoder-output.js";
import { startRows, withStartId } from "../inputs/decoder-input.js";
import { readIds, type TokenIds } from "../inputs/ids.js";
import { checkSequences } from "../inputs/memory-limit.js";
import {
  checkBatch,
  encodeSource,
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
import { CALL_OPTIONS, type CallControl, readControl } from "../util/call-control.js";
import { readOptions } from "../util/call-options.js";
import type { Sliced } from "../util/slices.js";
import { expected, refused } from "../util/validation.js";
import type { DefaultsReader } from "./config.js";
import { checkOptionValues, OPTION_NAMES } from "./option-table.js";
import { type GivenOptions, NOT_ENDED, resolveGenerationOptions } from "./resolve.js";
import { UNSUPPORTED_NAMES } from "./unsupported.js";

/** An encoder output as a property of the input, for `decoderInputIds` alongside it. */
export interface EncoderOutputSource {
  readonly encoderOutput: EncoderOutput;
  readonly text?: undefined;
  readonly inputIds?: undefined;
}

/** The ids that the decoder begins with. */
export interface DecoderPrompt {
  /** `[batch, n]`. As in Hugging Face, the decoder start id is put before each row where no row begins with it. */
  readonly decoderInputIds?: TokenIds | undefined;
}

/** The input of `generate` and `stream`. */
export type GenerateInput = Source | ((TextSource | IdSource | TokenizedSource | EncoderOutputSource) & DecoderPrompt);

/** The options of a call, checked. */
interface GenerateCallOptions extends GivenOptions {
  readonly control: CallControl;
}

/** A request of which everything is copied and checked, but texts are not tokenized. */
export interface GenerateRequest extends Omit<NativeGenerateRequest, "scheduling" | "source"> {
  readonly source: ReadSource;
}

const GENERATE_CALL_OPTIONS = [...OPTION_NAMES, ...CALL_OPTIONS] as const;
const INPUT_FIELDS = [...SOURCE_FIELDS, "encoderOutput", "decoderInputIds"] as const;

/** Reads the options, without the defaults. Throws ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE. */
export function readGenerateOptions(options: unknown, vocabSize: number): GenerateCallOptions {
  const { signal, timeoutMs, priority, ...given } = readOptions(options, GENERATE_CALL_OPTIONS, UNSUPPORTED_NAMES);
  const nameOf = (name: string) => `options.${name}`;
  return {
    values: checkOptionValues(given, nameOf, vocabSize),
    unsupported: given,
    nameOf,
    control: readControl({ signal, timeoutMs, priority }),
  };
}

/**
 * Reads the input, and resolves the options for it. Throws ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE, ERR_DISPOSED,
 * and what `readDefaults` throws.
 */
export function readGenerateRequest(
  input: unknown,
  given: GivenOptions,
  model: ModelHandle,
  readDefaults: DefaultsReader,
): GenerateRequest {
  const { vocabSize } = model.config;
  const defaults = readDefaults();
  const { source, decoderInputIds } = readInput(input, model);
  const batch = batchOf(source);
  const startId = defaults.decoderStartTokenId ?? model.config.decoderStartTokenId;
  const prompt = decoderInputIds === undefined ? startRows(batch, startId) : withStartId(decoderInputIds, startId);
  const options = resolveGenerationOptions(given, defaults, {
    batch,
    promptLength: prompt.length,
    vocabSize,
    endId: endIdOf(model),
    hasTokenizer: model.tokenizer !== undefined,
  });
  return { source, targetLength: prompt.length, decoderInputIds: prompt.data, options };
}

/** Tokenizes the texts of a request, and gives native code what it needs. Throws as `encodeTexts` does. */
export function* prepareGeneration(
  { source, ...request }: GenerateRequest,
  model: ModelHandle,
): Sliced<Omit<NativeGenerateRequest, "scheduling">> {
  if (request.options.stopStrings.length > 0) yield* uploadTokenTexts(model);
  return { source: yield* encodeSource(source, model), ...request };
}

interface ReadInput {
  readonly source: ReadSource;
  readonly decoderInputIds?: IdMatrix;
}

function readInput(input: unknown, model: ModelHandle): ReadInput {
  if (EncoderOutput.is(input)) return { source: readSource(input, "input", model) };
  const fields = readFields(input, "input", INPUT_FIELDS);
  const source = readFieldsSource(fields, model);
  if (fields.decoderInputIds === undefined) return { source };
  const decoderInputIds = readIds(fields.decoderInputIds, "decoderInputIds", model.config.vocabSize);
  checkBatch(decoderInputIds.batch, batchOf(source), "decoderInputIds");
  checkSequences(decoderInputIds.batch, decoderInputIds.length, model, "decoderInputIds");
  checkPromptEnds(decoderInputIds, model);
  return { source, decoderInputIds };
}

/**
 * Refuses a prompt whose rows all end in the end-of-sequence id: Hugging Face would generate on after the end. It is
 * what `encode` gives without `addSpecialTokens: false`. Some rows may have ended, as in `sequences` of another call.
 */
function checkPromptEnds({ batch, length, data }: IdMatrix, model: ModelHandle): void {
  const endId = endIdOf(model);
  if (endId === model.config.decoderStartTokenId) return;
  for (let row = 1; row <= batch; row++) if (data[row * length - 1] !== endId) return;
  throw refused(NOT_ENDED, "decoderInputIds", `rows that all end in ${endId}`);
}

/** The id that `encode` puts at the end of a text. */
function endIdOf({ tokenizer, config }: ModelHandle): number {
  return tokenizer?.eosTokenId ?? config.eosTokenId;
}

function readFieldsSource(
  fields: Readonly<Partial<Record<(typeof INPUT_FIELDS)[number], unknown>>>,
  model: ModelHandle,
): ReadSource {
  const { encoderOutput } = fields;
  if (encoderOutput === undefined) return readSourceIds(fields, model, "input");
  for (const name of SOURCE_FIELDS) refuseBoth(fields, "encoderOutput", name, "input");
  if (!EncoderOutput.is(encoderOutput)) throw expected("an EncoderOutput", "encoderOutput", encoderOutput);
  return readSource(encoderOutput, "encoderOutput", model);
}

/** Gives native code the text of every id, for stop strings, once per model. */
function* uploadTokenTexts(model: ModelHandle): Sliced<void> {
  if (model.hasTokenTexts || model.tokenizer === undefined) return;
  const { bytes, offsets } = yield* model.tokenizer.tokenTexts(model.config.vocabSize);
  // Another call may have done it meanwhile.
  if (model.hasTokenTexts) return;
  model.native.uploadTokenTexts(bytes, offsets);
  model.hasTokenTexts = true;
}
