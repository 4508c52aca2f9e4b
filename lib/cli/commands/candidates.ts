// What the logits of one position say: the best tokens, and where the target stands among them.
import type { T5Tokenizer, Tensor } from "../../index.js";

/** One token at one position. */
export interface Candidate {
  readonly id: number;
  readonly token: string;
  readonly logit: number;
  readonly probability: number;
  readonly logProbability: number;
  /** 1 for the best token. */
  readonly rank: number;
}

/** One decoder position. */
export interface Position {
  readonly position: number;
  readonly target?: Candidate;
  /** The best tokens, in descending order. */
  readonly top: readonly Candidate[];
}

/** Reads logits `[1, targetLength, vocabSize]`; `targets` has the right id of each position, where there is one. */
export function readPositions(
  logits: Tensor,
  topK: number,
  tokenizer: T5Tokenizer | undefined,
  targets?: Int32Array,
): readonly Position[] {
  const logProbabilities = logits.logSoftmax();
  const { indices } = logits.topK(topK);
  const [, targetLength = 0] = logits.shape;
  return Array.from({ length: targetLength }, (_, position) => {
    const row = logits.row(0, position);
    const logs = logProbabilities.row(0, position);
    const candidate = (id: number): Candidate => ({
      id,
      token: tokenizer?.idToToken(id) ?? `<${id}>`,
      logit: row[id] ?? Number.NaN,
      probability: Math.exp(logs[id] ?? Number.NaN),
      logProbability: logs[id] ?? Number.NaN,
      rank: rankOf(row, id),
    });
    const top = Array.from(indices.row(0, position), candidate);
    const target = targets?.[position];
    return target === undefined ? { position, top } : { position, target: candidate(target), top };
  });
}

function rankOf(row: Float32Array, id: number): number {
  const logit = row[id] ?? Number.NaN;
  return row.reduce((rank, other, index) => (other > logit || (other === logit && index < id) ? rank + 1 : rank), 1);
}
