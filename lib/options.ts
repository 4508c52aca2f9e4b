// The options of `fromPretrained` and `forward`, checked.
import type { IdMatrix } from "./batch.js";
import { idError, readList } from "./ids.js";
import { checkFlag, checkInteger, checkOptionalInteger, checkOptions, expected, isRecord } from "./validation.js";

/** Where a model runs: "auto" is the first CUDA device if libtorch can use one, else the CPU. */
export type Device = "auto" | "cpu" | "cuda" | `cuda:${number}`;

/** How a model computes. "exact": bitwise as Hugging Face does in float32. */
export type Precision = "exact";

export interface LoadOptions {
  /** Default: "auto". */
  readonly device?: Device | undefined;
  /** Default: "exact", the only one in this version. */
  readonly precision?: Precision | undefined;
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

export interface ForwardOptions {
  /** Keep only these decoder positions, or the last one: logits `[batch, positions, vocabSize]`. */
  readonly positions?: "last" | readonly number[] | Int32Array | undefined;
  /** Keep only the logits of these vocabulary ids: `[batch, targetLength, tokens]`. */
  readonly tokens?: readonly number[] | Int32Array | undefined;
  /** Return the largest logits and their vocabulary ids instead of all: both `[batch, targetLength, topK]`. */
  readonly topK?: number | undefined;
  /** Return the last hidden states as well. */
  readonly hiddenStates?: boolean | undefined;
  /** Return Hugging Face's loss as well; needs `target` or `labels`. */
  readonly loss?: boolean | undefined;
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What is kept of a forward pass. */
export interface Selection {
  readonly positions: Int32Array | undefined;
  readonly tokens: Int32Array | undefined;
  /** 0: all. */
  readonly topK: number;
  readonly hiddenStates: boolean;
  readonly loss: boolean;
}

const LOAD_OPTIONS = ["device", "precision", "intraOpThreads", "interOpThreads", "maxQueueLength"] as const;
const FORWARD_OPTIONS = ["positions", "tokens", "topK", "hiddenStates", "loss", "signal"] as const;
const DEVICE = /^(auto|cpu|cuda(:\d{1,4})?)$/;
const MOST_THREADS = 1024;

/** The forward options as they were given, each read once. */
export type ForwardFields = Readonly<Partial<Record<(typeof FORWARD_OPTIONS)[number], unknown>>>;

/** Throws ERR_INVALID_ARGUMENT. */
export function checkLoadOptions(value: unknown): CheckedLoadOptions {
  const given = checkOptions(value, "options", LOAD_OPTIONS);
  const { device = "auto", precision = "exact", intraOpThreads, interOpThreads, maxQueueLength } = given;
  if (typeof device !== "string" || !DEVICE.test(device)) {
    throw expected('"auto", "cpu", "cuda" or "cuda:<number>"', "options.device", device);
  }
  if (precision !== "exact") {
    throw expected('"exact", the only one available in this version,', "options.precision", precision);
  }
  const threads = (count: unknown, name: string) =>
    count === undefined ? 0 : checkInteger(count, `options.${name}`, 1, MOST_THREADS);
  return {
    device,
    precision,
    intraOpThreads: threads(intraOpThreads, "intraOpThreads"),
    interOpThreads: threads(interOpThreads, "interOpThreads"),
    maxQueueLength: checkOptionalInteger(maxQueueLength, "options.maxQueueLength", 1, 0),
  };
}

/** Reads the options of `forward`. Throws ERR_INVALID_ARGUMENT. */
export function readForwardFields(value: unknown): ForwardFields {
  const { positions, tokens, topK, hiddenStates, loss, signal } = checkOptions(value, "options", FORWARD_OPTIONS);
  return { positions, tokens, topK, hiddenStates, loss, signal };
}

/** The signal of a call, or undefined. Throws ERR_INVALID_ARGUMENT. */
export function checkSignal({ signal }: ForwardFields): AbortSignal | undefined {
  if (signal === undefined || isAbortSignal(signal)) return signal;
  throw expected("an AbortSignal", "options.signal", signal);
}

/** Throws ERR_INVALID_ARGUMENT, and ERR_TOKEN_OUT_OF_RANGE for one of `tokens` that the vocabulary lacks. */
export function checkSelection(fields: ForwardFields, decoder: IdMatrix, vocabSize: number): Selection {
  const { positions, tokens, topK } = fields;
  const kept = tokens === undefined ? undefined : checkTokens(tokens, vocabSize);
  return {
    positions: positions === undefined ? undefined : checkPositions(positions, decoder.length),
    tokens: kept,
    topK: topK === undefined ? 0 : checkInteger(topK, "options.topK", 1, kept?.length ?? vocabSize),
    hiddenStates: checkFlag(fields.hiddenStates, "options.hiddenStates"),
    loss: checkFlag(fields.loss, "options.loss"),
  };
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

/** Not by `instanceof`: a signal of another realm or of a polyfill is right as well. */
function isAbortSignal(value: unknown): value is AbortSignal {
  return (
    isRecord(value) &&
    typeof value.aborted === "boolean" &&
    typeof value.addEventListener === "function" &&
    typeof value.removeEventListener === "function"
  );
}
