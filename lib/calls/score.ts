// `score`: the log-probabilities of given targets after a source.
import { isRow, readIdList, readIds, type TokenIds } from "../inputs/ids.js";
import { checkSequences } from "../inputs/memory-limit.js";
import { encodeSource, encodeTexts, readTexts, type Texts } from "../inputs/source.js";
import type { IdRow } from "../tokenizer/padded-batch.js";
import type { SpecialTokensOption } from "../tokenizer/t5-tokenizer.js";
import { CALL_OPTIONS, readControl } from "../util/call-control.js";
import { type CallOptions, checkBatchSize, readOptions } from "../util/call-options.js";
import type { Sliced } from "../util/slices.js";
import { checkChoice, checkFlag, expected, INT32_MAX, isRecord } from "../util/validation.js";
import type { Call, ModelHandle } from "./call.js";
import { batchOf, type EncoderSource, readSource } from "./encoder-output.js";
import { type Absent, type Given, type TruncationResult, truncationOf } from "./results.js";

/** How the log-probabilities of a target's tokens become its score. */
export const SCORE_REDUCTIONS = ["sum", "mean", "none"] as const;

/** The score of a target: the sum of the log-probabilities of its tokens, their mean, or none. */
export type ScoreReduction = (typeof SCORE_REDUCTIONS)[number];

/** The options of `score`. `addSpecialTokens: false` scores texts without the end of the answer. */
export interface ScoreOptions extends CallOptions, SpecialTokensOption {
  /** The score: the sum of the log-probabilities of the target's tokens, their mean, or none. Default: "sum". */
  readonly reduction?: ScoreReduction | undefined;
  /** Targets that go through the decoder at once. Default: 32. */
  readonly batchSize?: number | undefined;
}

/**
 * Targets: texts, to which the end-of-sequence id is added unless `addSpecialTokens` is false, or rows of ids of any
 * lengths, taken as they are.
 */
export type ScoreTargets = readonly string[] | readonly IdRow[] | TokenIds;

/** The log-probabilities of one target's tokens. */
export interface TokenScores {
  /**
   * The natural logarithm of each token's probability, given the source and the tokens before it: one for each of
   * `ids`.
   */
  readonly logProbs: Float32Array;
  /** The target's ids; for a text the end-of-sequence id is the last, unless `addSpecialTokens` is false. */
  readonly ids: Int32Array;
  /** Whether the text of the target's source was truncated; absent where the source has no `maxLength`. */
  readonly truncated?: boolean;
}

interface Scored {
  readonly score: number;
}

interface Unscored {
  readonly score?: undefined;
}

interface MaybeScored {
  readonly score?: number | undefined;
}

type ScoreOf<Reduction> = [Reduction] extends [Absent]
  ? Scored
  : [Reduction] extends ["none"]
    ? Unscored
    : "none" extends Reduction
      ? MaybeScored
      : Scored;

/** The scores of one target; without `score` for `reduction: "none"`. */
export type TargetScore<Options = ScoreOptions> = TokenScores & ScoreOf<Given<Options, "reduction">>;

/** Scores targets with the model of `call`. */
export async function score(
  call: Call,
  source: unknown,
  targets: unknown,
  options: unknown,
): Promise<readonly TargetScore[]> {
  const { model } = call;
  const { reduction, batchSize, addSpecialTokens, control } = call.read(() => readScoreOptions(options));
  call.check(control);
  const work = call.read(() => readRequest(source, targets, { batchSize, addSpecialTokens }, model));
  const { decoderStartTokenId, padTokenId } = model.config;
  let rows: readonly Int32Array[] = [];
  let truncation: TruncationResult = {};
  const { scores, logProbs } = await call.runSliced(control, work, (scheduling, prepared) => {
    const { rows: prepare, ...ids } = prepared;
    rows = prepare;
    truncation = truncationOf(ids.source);
    const mean = reduction === "mean";
    return model.native.score({ scheduling, ...ids, decoderStartTokenId, padTokenId, batchSize, mean });
  });
  const { truncated } = truncation;
  let end = 0;
  const results = rows.map((row, index) => {
    const begin = end;
    end += row.length;
    const isTruncated = truncated?.[truncated.length === 1 ? 0 : index];
    const tokens = {
      logProbs: logProbs.data.slice(begin, end),
      ids: row,
      ...(isTruncated !== undefined && { truncated: isTruncated }),
    };
    return reduction === "none" ? tokens : { score: scores.data[index] ?? Number.NaN, ...tokens };
  });
  model.release(scores.data.buffer);
  model.release(logProbs.data.buffer);
  return results;
}

function readScoreOptions(options: unknown) {
  const names = ["reduction", "batchSize", "addSpecialTokens", ...CALL_OPTIONS] as const;
  const given = readOptions(options, names);
  const { reduction = "sum", batchSize, addSpecialTokens = true } = given;
  return {
    addSpecialTokens: checkFlag(addSpecialTokens, "options.addSpecialTokens"),
    reduction: checkChoice(reduction, "options.reduction", SCORE_REDUCTIONS),
    batchSize: checkBatchSize(batchSize),
    control: readControl(given),
  };
}

/** What native code scores. */
interface ScoreRequest {
  readonly source: EncoderSource;
  /** The ids of each target. */
  readonly rows: readonly Int32Array[];
  readonly targetIds: Int32Array;
  readonly targetLengths: Int32Array;
}

/** Copies the arguments now; the returned work makes a request of them. */
function readRequest(
  source: unknown,
  targets: unknown,
  { batchSize, addSpecialTokens }: { readonly batchSize: number; readonly addSpecialTokens: boolean },
  model: ModelHandle,
): Sliced<ScoreRequest> {
  const read = readSource(source, "source", model);
  const readRows = readTargets(targets, model, addSpecialTokens);
  checkPairs(batchOf(read), readRows.length);
  return (function* makeRequest() {
    const encoded = yield* encodeSource(read, model);
    const rows: Int32Array[] = [];
    for (const row of readRows) {
      yield;
      rows.push("texts" in row ? yield* encodeTarget(row, model) : row);
    }
    const maxLength = rows.reduce((max, { length }) => Math.max(max, length), 0);
    checkSequences(Math.min(batchSize, rows.length), maxLength, model, "targets");
    const targetLengths = Int32Array.from(rows, ({ length }) => length);
    return { source: encoded, rows, targetIds: concatenate(rows), targetLengths };
  })();
}

function* encodeTarget(text: Texts, model: ModelHandle): Sliced<Int32Array> {
  const { inputIds } = yield* encodeTexts(text, model);
  if (inputIds.length > 0) return inputIds;
  throw expected("a text of at least one id, as options.addSpecialTokens is false,", text.name, text.texts[0]);
}

function readTargets(value: unknown, model: ModelHandle, addSpecialTokens: boolean): readonly (Int32Array | Texts)[] {
  const { vocabSize } = model.config;
  if (isRecord(value)) {
    const { batch, length, data } = readIds(value, "targets", vocabSize);
    return Array.from({ length: batch }, (_, row) => data.slice(row * length, (row + 1) * length));
  }
  if (!Array.isArray(value)) throw expected("an array of texts or of rows of ids", "targets", value);
  const { length } = value;
  if (length === 0) throw expected("at least one target", "targets", value);
  const rows: (Int32Array | Texts)[] = [];
  for (let index = 0; index < length; index++) {
    rows.push(readTarget(value[index], `targets[${index}]`, model, addSpecialTokens));
  }
  return rows;
}

function readTarget(target: unknown, name: string, model: ModelHandle, addSpecialTokens: boolean): Int32Array | Texts {
  if (typeof target === "string") return readTexts(target, name, model, { addSpecialTokens });
  if (!isRow(target)) throw expected("a string or an array of ids", name, target);
  return readIdList(target, name, model.config.vocabSize);
}

function checkPairs(batch: number, targets: number): void {
  if (batch === 1 || batch === targets) return;
  throw expected(`one row for all targets or ${targets} rows, one for each,`, "source", batch);
}

/** The ids of all targets, one after the other. */
function concatenate(rows: readonly Int32Array[]): Int32Array {
  const total = rows.reduce((sum, { length }) => sum + length, 0);
  if (total > INT32_MAX) throw expected(`at most ${INT32_MAX} ids in all`, "targets", total);
  const all = new Int32Array(total);
  let end = 0;
  for (const row of rows) {
    all.set(row, end);
    end += row.length;
  }
  return all;
}
