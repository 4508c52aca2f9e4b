// Where and why each generated sequence ends, read from its ids. native/generation/stopping_criteria.cc ends them.
import type { NativeGenerateOptions } from "../native/types.js";
import type { T5Tokenizer } from "../tokenizer/t5-tokenizer.js";

/**
 * Why a sequence ends: `"eos"`, it has an id of `eosTokenId`; `"stop"`, it contains a stop string; `"length"`, it has the
 * maximum length; `"time"`, `maxTime` was over. The first that applies, in this order, to the token that ends it.
 */
export type FinishReason = "eos" | "stop" | "length" | "time";

/** The end of one sequence. */
export interface Finish {
  readonly reason: FinishReason;
  /** The number of generated tokens, the one that ends the sequence included. */
  readonly length: number;
}

/** What ends the sequences of a call. */
export interface EndConditions {
  /** The number of ids in each row of the decoder's input. */
  readonly promptLength: number;
  readonly options: Pick<NativeGenerateOptions, "eosTokenIds" | "stopStrings" | "maxLength" | "maxTime">;
  /** Stop strings need it. */
  readonly tokenizer: T5Tokenizer | undefined;
}

/** The end of one sequence, which may be padded after it. */
export function finishOf(ids: Int32Array, { promptLength, options, tokenizer }: EndConditions): Finish {
  const { eosTokenIds, stopStrings, maxLength, maxTime } = options;
  const eos = ids.findIndex((id, index) => index >= promptLength && eosTokenIds.includes(id));
  // The padding after an end id has texts, too.
  const searched = eos === -1 ? ids : ids.subarray(0, eos);
  const stop = tokenizer === undefined ? -1 : findStop(searched, promptLength, stopStrings, tokenizer);
  if (stop !== -1) return { reason: "stop", length: stop + 1 - promptLength };
  if (eos !== -1) return { reason: "eos", length: eos + 1 - promptLength };
  // Time ends all sequences at once, so that no padding follows.
  const isTimedOut = maxTime !== undefined && ids.length < maxLength;
  return { reason: isTimedOut ? "time" : "length", length: ids.length - promptLength };
}

/**
 * The index of the first generated id that completes a stop string, or -1: transformers' `StopStringCriteria`, which
 * searches the text of as many ids as the longest stop string has characters.
 */
function findStop(
  ids: Int32Array,
  promptLength: number,
  stopStrings: readonly string[],
  tokenizer: T5Tokenizer,
): number {
  if (stopStrings.length === 0) return -1;
  const texts = Array.from(ids, (id) => (id < 0 ? new Uint8Array() : tokenizer.tokenBytes(id)));
  const text = Buffer.concat(texts);
  /** The index of the id that each byte is from. */
  const owners = new Uint32Array(text.length);
  let offset = 0;
  for (const [index, { length }] of texts.entries()) {
    owners.fill(index, offset, offset + length);
    offset += length;
  }
  const window = Math.max(...stopStrings.map((stop) => [...stop].length));
  let first = -1;
  for (const stop of stopStrings.map((string) => Buffer.from(string))) {
    for (let at = text.indexOf(stop); at !== -1; at = text.indexOf(stop, at + 1)) {
      const last = owners[at + stop.length - 1] ?? 0;
      if (last < promptLength || last - (owners[at] ?? 0) >= window) continue;
      if (first === -1 || last < first) first = last;
      break;
    }
  }
  return first;
}
