// The inputs of the parity tests: seeded ids, masks and labels, from one token to several hundred.

/** How the encoder's input is masked. "none": neither side gets a mask. */
export type Masking = "none" | "ones" | "right" | "left" | "holes";

/** The sizes of one case. */
export interface Shape {
  readonly batch: number;
  readonly sourceLength: number;
  readonly targetLength: number;
  readonly masking: Masking;
}

/** The ids of one case. `labels` has ignored positions. `attentionMask` is absent for "none". */
export interface Case {
  readonly inputIds: number[][];
  readonly attentionMask?: number[][];
  readonly decoderInputIds: number[][];
  readonly labels: number[][];
}

const IGNORED_LABEL = -100;
/** One in this many labels is ignored, and one in this many positions is a hole of the mask. */
const ONE_IN = 5;

const shape = (batch: number, sourceLength: number, targetLength: number, masking: Masking): Shape => ({
  batch,
  sourceLength,
  targetLength,
  masking,
});

/** Small and large sizes, on both sides of the limits of relative positions (16, 128) and of the width of a vector. */
export const SHAPES: readonly Shape[] = [
  shape(1, 1, 1, "none"),
  shape(1, 16, 1, "ones"),
  shape(1, 5, 70, "none"),
  shape(2, 1, 2, "ones"),
  shape(2, 7, 3, "right"),
  shape(3, 33, 8, "left"),
  shape(4, 64, 31, "none"),
  shape(5, 129, 1, "right"),
  shape(7, 20, 17, "holes"),
  shape(8, 32, 16, "ones"),
  shape(9, 48, 9, "right"),
  shape(9, 128, 2, "left"),
  shape(1, 300, 40, "none"),
  shape(2, 257, 65, "right"),
  shape(1, 600, 5, "right"),
  shape(3, 511, 12, "holes"),
];

/** The name of a case in the title of a test. */
export function describeShape({ batch, sourceLength, targetLength, masking }: Shape): string {
  const padding = {
    none: "no mask",
    ones: "a mask of ones",
    right: "padded right",
    left: "padded left",
    holes: "holes",
  };
  return `(${batch}, ${sourceLength}, ${targetLength}), ${padding[masking]}`;
}

/** Makes a case, always the same one for a shape and a vocabulary. */
export function makeCase(sizes: Shape, vocabSize: number): Case {
  const { batch, sourceLength, targetLength, masking } = sizes;
  const random = generator(batch * 1_000_003 + sourceLength * 1009 + targetLength);
  const below = (limit: number) => Math.floor(random() * limit);
  const matrix = (length: number, value: (row: number, column: number) => number) =>
    Array.from({ length: batch }, (_, row) => Array.from({ length }, (_, column) => value(row, column)));
  const inputIds = matrix(sourceLength, () => below(vocabSize));
  const decoderInputIds = matrix(targetLength, () => below(vocabSize));
  // The first label is never ignored: a loss over no labels is NaN.
  const labels = matrix(targetLength, (row, column) =>
    row + column > 0 && below(ONE_IN) === 0 ? IGNORED_LABEL : below(vocabSize),
  );
  if (masking === "none") return { inputIds, decoderInputIds, labels };
  const attentionMask = matrix(sourceLength, (row, column) => {
    // Rows of decreasing length, each with at least one token.
    const kept = Math.max(1, Math.floor((sourceLength * (batch - row)) / (batch + 1)));
    if (masking === "right") return column < kept ? 1 : 0;
    if (masking === "left") return column >= sourceLength - kept ? 1 : 0;
    if (masking === "holes") return column > 0 && below(ONE_IN) === 0 ? 0 : 1;
    return 1;
  });
  return { inputIds, attentionMask, decoderInputIds, labels };
}

/** Random numbers in [0, 1) from a seed: mulberry32. */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
