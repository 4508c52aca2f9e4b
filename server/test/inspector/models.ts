// The models of the inspector's tests: the embedded one in three precisions.

const model = (name: string, precision: string) => ({
  name,
  path: "demo",
  precision,
  device: "cpu",
  intraOpThreads: 1,
});

export const CONFIG = { models: [model("demo", "float32"), model("small", "int8"), model("exact", "exact")] };

/** What `/inspect/analysis`, `/inspect/alternatives` and `/inspect/attention` answer. */
export interface Token {
  readonly id: number;
  readonly piece: string;
  readonly logit: number;
  readonly logProb: number;
}

export interface Analysis {
  readonly model: string;
  readonly precision: string;
  readonly layers: number;
  readonly heads: number;
  readonly source: readonly { readonly id: number; readonly piece: string }[];
  readonly target: string;
  readonly isGenerated: boolean;
  readonly positions: readonly {
    readonly target: Token;
    readonly rank: number;
    readonly entropy: number;
    readonly top: readonly Token[];
  }[];
}

export interface Answer {
  readonly text: string;
  readonly score: number;
  readonly tokens: readonly { readonly id: number; readonly piece: string; readonly logProb: number }[];
}

export interface CrossAttention {
  readonly model: string;
  readonly source: readonly { readonly id: number; readonly piece: string }[];
  readonly target: readonly { readonly id: number; readonly piece: string }[];
  readonly weights: readonly (readonly number[])[];
}
