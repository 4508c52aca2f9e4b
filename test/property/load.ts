// Random requests of every kind, and the load that many callers make with them.
import { createHash } from "node:crypto";
import type { ForwardOptions, GenerateOptions, T5ForConditionalGeneration } from "torch-t5";

/** Numbers from 0 (included) to 1 (excluded), the same for the same seed. */
export type Random = () => number;

/** Mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const below = (random: Random, limit: number) => Math.floor(random() * limit);

const oneOf = <Value>(random: Random, values: readonly [Value, ...Value[]]): Value =>
  values[below(random, values.length)] ?? values[0];

/** A call whose answer is a value of numbers, typed arrays, strings, arrays and objects. */
export interface LoadRequest {
  readonly kind: string;
  readonly run: (model: T5ForConditionalGeneration, signal?: AbortSignal) => Promise<unknown>;
}

/** A hash of every bit of an answer. */
export function digest(answer: unknown): string {
  const hash = createHash("sha256");
  const add = (value: unknown): void => {
    if (ArrayBuffer.isView(value)) {
      hash.update(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    } else if (Array.isArray(value)) {
      hash.update(`[${value.length}]`);
      for (const item of value) add(item);
    } else if (typeof value === "object" && value !== null && "data" in value && "shape" in value) {
      add(value.shape);
      add(value.data);
    } else if (typeof value === "object" && value !== null) {
      for (const [name, item] of Object.entries(value)) {
        hash.update(name);
        add(item);
      }
    } else {
      hash.update(String(value));
    }
  };
  add(answer);
  return hash.digest("hex");
}

const STRATEGIES: readonly [GenerateOptions, ...GenerateOptions[]] = [
  {},
  { eosTokenId: [] },
  { doSample: true, topK: 20 },
  { doSample: true, temperature: 0.7, topP: 0.9 },
  { numBeams: 3 },
  { numBeams: 2, numReturnSequences: 2, lengthPenalty: 0.5 },
  { repetitionPenalty: 1.3, noRepeatNgramSize: 2 },
  { returnLogits: true },
  { numBeams: 2, returnScores: true },
  { minLength: 2, suppressTokens: [5, 6] },
  { stopStrings: ["e"] },
];

/** A request of a random kind, with random inputs and options. */
export function randomRequest(random: Random, vocabSize: number): LoadRequest {
  const id = () => 3 + below(random, Math.min(vocabSize, 500) - 3);
  const ids = (length: number) => Array.from({ length }, id);
  const row = (maximum: number) => ids(1 + below(random, maximum));
  const rows = (maximum: number) => {
    const length = 1 + below(random, maximum);
    return Array.from({ length: 1 + below(random, 3) }, () => ids(length));
  };
  const generating = (): GenerateOptions => ({
    ...oneOf(random, STRATEGIES),
    maxNewTokens: 1 + below(random, 12),
    seed: below(random, 2 ** 31),
  });
  const kinds: readonly [() => LoadRequest, ...(() => LoadRequest)[]] = [
    () => {
      const inputIds = rows(40);
      const length = 1 + below(random, 6);
      const decoderInputIds = inputIds.map(() => ids(length));
      const options = oneOf<ForwardOptions>(random, [
        {},
        { hiddenStates: true },
        { topK: 5 },
        { positions: [0] },
        { tokens: [3, 9] },
      ]);
      return {
        kind: "forward",
        run: (t5, signal) => t5.forward({ inputIds, decoderInputIds }, { ...options, signal }),
      };
    },
    () => {
      const inputIds = rows(60);
      return { kind: "embed", run: (t5, signal) => t5.embed({ inputIds }, { normalize: true, signal }) };
    },
    () => {
      const inputIds = [row(30)];
      const targets = Array.from({ length: 1 + below(random, 5) }, () => row(8));
      return {
        kind: "score",
        run: (t5, signal) => t5.score({ inputIds }, targets, { batchSize: 2, signal }),
      };
    },
    () => {
      const inputIds = rows(25);
      const length = below(random, 4);
      const prompt = length > 0 && { decoderInputIds: inputIds.map(() => ids(length)) };
      const options = generating();
      return { kind: "generate", run: (t5, signal) => t5.generate({ inputIds, ...prompt }, { ...options, signal }) };
    },
    () => {
      const inputIds = [row(20)];
      const options = generating();
      return {
        kind: "generate with a processor",
        run: (t5, signal) =>
          t5.generate(
            { inputIds },
            {
              ...options,
              signal,
              logitsProcessor: ({ logits }) => {
                logits.data[7] = -100;
              },
            },
          ),
      };
    },
    () => {
      const inputIds = [row(20)];
      const { doSample = false, topK, seed } = generating();
      const options = { maxNewTokens: 1 + below(random, 10), doSample, topK, seed };
      const isSlow = below(random, 4) === 0;
      return {
        kind: "stream",
        run: async (t5, signal) => {
          const tokenIds: number[] = [];
          for await (const { tokenId } of t5.stream({ inputIds }, { ...options, signal })) {
            tokenIds.push(tokenId);
            if (isSlow) await new Promise((resolve) => setTimeout(resolve, 1));
          }
          return tokenIds;
        },
      };
    },
    () => {
      const inputIds = rows(20);
      const length = 1 + below(random, 4);
      const prefix = inputIds.map(() => ids(length));
      const steps = Array.from({ length: below(random, 5) }, () => inputIds.map(() => [id()]));
      return {
        kind: "session",
        run: async (t5, signal) => {
          const encoded = await t5.encode({ inputIds }, { signal });
          const session = encoded.startDecoding();
          try {
            const logits = [(await session.prefill(prefix, { signal })).logits];
            for (const step of steps) {
              logits.push((await session.step(step, { signal })).logits);
            }
            return logits;
          } finally {
            session.dispose();
            encoded.dispose();
          }
        },
      };
    },
  ];
  return oneOf(random, kinds)();
}
