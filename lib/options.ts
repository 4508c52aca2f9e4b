// The options of `fromPretrained`, and those by which `forward` and a session select, checked.
import { readOptions, type SignalOption } from "./call-options.js";
import type { Head } from "./head.js";
import { idError, readList } from "./ids.js";
import { checkFlag, checkInteger, checkOptionalInteger, checkOptions, expected, INT32_MAX } from "./validation.js";

/** Where a model runs: "auto" is the first CUDA device if libtorch can use one, else the CPU. */
export type Device = "auto" | "cpu" | "cuda" | `cuda:${number}`;

/**
 * How a model computes. "exact": bitwise as Hugging Face does in float32. The others are those of the fused engine.
 * "float32": the same greedy tokens, logits within 1e-4; "bfloat16" and "int8": an error that `torch-t5 verify` measures.
 */
export type Precision = (typeof PRECISIONS)[number];

export interface LoadOptions {
  /** Default: "auto". */
  readonly device?: Device | undefined;
  /** Default: "exact". "int8" runs on the CPU only, and "auto" is the CPU for it. */
  readonly precision?: Precision | undefined;
  /**
   * Asks that a row's logits are bitwise the same whatever else is in its batch, and whatever its padding. Every precision
   * but "exact" has that anyway; "exact" follows Hugging Face's bits, which depend on the batch, and refuses `true`.
   */
  readonly batchInvariant?: boolean | undefined;
  /** Threads that one operator uses. Default: PyTorch's own. */
  readonly intraOpThreads?: number | undefined;
  /** Threads that run operators side by side. Default: PyTorch's own. */
  readonly interOpThreads?: number | undefined;
  /** How many calls may wait; one more rejects with ERR_QUEUE_FULL. Default: no limit. */
  readonly maxQueueLength?: number | undefined;
}

/** Load options with their defaults; 0 stands for "PyTorch's own" and "no limit". */
export interface CheckedLoadOptions {
  readonly device: string;
  readonly precision: Precision;
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
  readonly maxQueueLength: number;
}

/** Which logits a call returns. */
export interface SelectionOptions extends SignalOption {
  /** Keep only these decoder positions, or the last one: logits `[batch, positions, vocabSize]`. */
  readonly positions?: "last" | readonly number[] | Int32Array | undefined;
  /** Keep only the logits of these vocabulary ids: `[batch, targetLength, tokens]`. */
  readonly tokens?: readonly number[] | Int32Array | undefined;
  /** Return the largest logits and their vocabulary ids instead of all: both `[batch, targetLength, topK]`. */
  readonly topK?: number | undefined;
  /** Return the last hidden states as well. */
  readonly hiddenStates?: boolean | undefined;
}

export interface ForwardOptions extends SelectionOptions {
  /** Return Hugging Face's loss as well; needs `target` or `labels`. */
  readonly loss?: boolean | undefined;
  /** Return this head's output instead of logits. */
  readonly head?: Head | undefined;
}

/** What is kept of a forward pass. */
export interface Selection {
  readonly positions: Int32Array | undefined;
  readonly tokens: Int32Array | undefined;
  /** 0: all. */
  readonly topK: number;
  readonly hiddenStates: boolean;
}

const PRECISIONS = ["exact", "float32", "bfloat16", "int8"] as const;
const PRECISION_NAMES = '"exact", "float32", "bfloat16" or "int8"';
const LOAD_OPTIONS = [
  "device",
  "precision",
  "batchInvariant",
  "intraOpThreads",
  "interOpThreads",
  "maxQueueLength",
] as const;
const SELECTION_OPTIONS = ["positions", "tokens", "topK", "hiddenStates", "signal"] as const;
const FORWARD_OPTIONS = [...SELECTION_OPTIONS, "loss", "head"] as const;
const DEVICE = /^(auto|cpu|cuda(:\d{1,4})?)$/;
const MOST_THREADS = 1024;

/** Options that select logits as they were given, each read once. */
export type SelectionFields = Readonly<Partial<Record<(typeof SELECTION_OPTIONS)[number], unknown>>>;

/** The forward options as they were given, each read once. */
export type ForwardFields = Readonly<Partial<Record<(typeof FORWARD_OPTIONS)[number], unknown>>>;

/** Throws ERR_INVALID_ARGUMENT. */
export function checkLoadOptions(value: unknown): CheckedLoadOptions {
  const given = checkOptions(value, "options", LOAD_OPTIONS);
  const {
    device = "auto",
    precision = "exact",
    batchInvariant,
    intraOpThreads,
    interOpThreads,
    maxQueueLength,
  } = given;
  if (typeof device !== "string" || !DEVICE.test(device)) {
    throw expected('"auto", "cpu", "cuda" or "cuda:<number>"', "options.device", device);
  }
  const known = PRECISIONS.find((candidate) => candidate === precision);
  if (known === undefined) throw expected(PRECISION_NAMES, "options.precision", precision);
  if (checkFlag(batchInvariant, "options.batchInvariant") && known === "exact") {
    const others = '"float32", "bfloat16" or "int8" with batchInvariant (the bits of "exact" depend on the batch)';
    throw expected(others, "options.precision", known);
  }
  const threads = (count: unknown, name: string) =>
    count === undefined ? 0 : checkInteger(count, `options.${name}`, 1, MOST_THREADS);
  return {
    device,
    precision: known,
    intraOpThreads: threads(intraOpThreads, "intraOpThreads"),
    interOpThreads: threads(interOpThreads, "interOpThreads"),
    maxQueueLength: checkOptionalInteger(maxQueueLength, "options.maxQueueLength", 1, 0),
  };
}

/** Reads the options of `forward`. Throws ERR_INVALID_ARGUMENT. */
export function readForwardFields(value: unknown): ForwardFields {
  return readOptions(value, FORWARD_OPTIONS);
}

/** Reads the options of a session's calls. Throws ERR_INVALID_ARGUMENT. */
export function readSelectionFields(value: unknown): SelectionFields {
  return readOptions(value, SELECTION_OPTIONS);
}

/** Throws ERR_INVALID_ARGUMENT, and ERR_TOKEN_OUT_OF_RANGE for one of `tokens` that the vocabulary lacks. */
export function checkSelection(fields: SelectionFields, targetLength: number, vocabSize: number): Selection {
  const { positions, tokens, topK } = fields;
  const kept = tokens === undefined ? undefined : checkTokens(tokens, vocabSize);
  return {
    positions: positions === undefined ? undefined : checkPositions(positions, targetLength),
    tokens: kept,
    topK: topK === undefined ? 0 : checkInteger(topK, "options.topK", 1, kept?.length ?? vocabSize),
    hiddenStates: checkFlag(fields.hiddenStates, "options.hiddenStates"),
  };
}

/** Refuses a selection of more logits than native code can count. Throws ERR_INVALID_ARGUMENT. */
export function checkSize(batch: number, targetLength: number, vocabSize: number, selection: Selection): void {
  const size = batch * (selection.positions?.length ?? targetLength) * (selection.tokens?.length ?? vocabSize);
  if (size <= INT32_MAX) return;
  throw expected(`at most ${INT32_MAX} logits (positions, tokens and smaller batches ask for less)`, "input", size);
}

function checkPositions(value: unknown, length: number): Int32Array {
  if (value === "last") return Int32Array.of(length - 1);
  if (typeof value === "string") throw expected('"last" or an array of positions', "options.positions", value);
  return readList(value, "options.positions", length, (position, name) =>
    expected(`a position from 0 to ${length - 1}`, name, position),
  );
}

function checkTokens(value: unknown, vocabSize: number): Int32Array {
  return readList(value, "options.tokens", vocabSize, (id, name) =>
    idError(`an id from 0 to ${vocabSize - 1}`, name, id),
  );
}
