// The options by which `forward` and a session select logits, checked.

import { idError, readList } from "../inputs/ids.js";
import { readOptions, type SignalOption } from "../util/call-options.js";
import { checkFlag, checkInteger, expected, INT32_MAX } from "../util/validation.js";
import type { Head } from "./head.js";

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

const SELECTION_OPTIONS = ["positions", "tokens", "topK", "hiddenStates", "signal"] as const;
const FORWARD_OPTIONS = [...SELECTION_OPTIONS, "loss", "head"] as const;

/** Options that select logits as they were given, each read once. */
export type SelectionFields = Readonly<Partial<Record<(typeof SELECTION_OPTIONS)[number], unknown>>>;

/** The forward options as they were given, each read once. */
export type ForwardFields = Readonly<Partial<Record<(typeof FORWARD_OPTIONS)[number], unknown>>>;

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
