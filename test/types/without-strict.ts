// Compiled, never run, with and without `strict`: the types of results follow from the options in both.
import type {
  DecodingSession,
  ForwardOptions,
  ForwardResult,
  GenerateOptions,
  GenerateResult,
  Head,
  ScoreOptions,
  T5ForConditionalGeneration,
  Tensor,
} from "torch-t5";

declare const t5: T5ForConditionalGeneration;
declare const session: DecodingSession;
declare const head: Head;
declare const anyOptions: ForwardOptions;
declare const anyScoreOptions: ScoreOptions;

export async function withoutOptions(): Promise<void> {
  const all = await t5.forward({ text: "a", target: "b" });
  all.logits satisfies Tensor;
  // @ts-expect-error values need topK
  all.values;
  // @ts-expect-error a head's output needs a head
  all.headOutput;
  // @ts-expect-error the loss was not requested
  all.loss;
  // @ts-expect-error hidden states were not requested
  all.encoderLastHiddenState;

  const step = await session.step([[1]]);
  step.logits satisfies Tensor;
  // @ts-expect-error values need topK
  step.values;

  const generated = await t5.generate("a");
  generated.sequences satisfies Tensor<Int32Array>;
  // @ts-expect-error logits were not requested
  generated.logits;

  for await (const token of t5.stream("a")) {
    token.text satisfies string;
    // @ts-expect-error logits were not requested
    token.logits;
  }

  for (const { score } of await t5.score("a", ["b"])) score.toFixed();
}

export async function withOptions(): Promise<void> {
  const top = await t5.forward("a", { topK: 5, positions: "last", signal: AbortSignal.timeout(1) });
  top.indices satisfies Tensor<Int32Array>;
  // @ts-expect-error topK replaces the logits
  top.logits;

  const more = await t5.forward({ text: "a", target: "b" }, { loss: true, hiddenStates: true });
  more.logits satisfies Tensor;
  more.loss satisfies number;
  more.encoderLastHiddenState satisfies Tensor;

  const less = await t5.forward("a", { loss: false, head: undefined, topK: undefined });
  less.logits satisfies Tensor;
  // @ts-expect-error the loss is off
  less.loss;

  const { headOutput, ...others } = await t5.forward("a", { head });
  headOutput satisfies Tensor;
  // @ts-expect-error a head's output replaces the logits
  others.logits;

  const generated = await t5.generate("a", { returnLogits: true, returnScores: true });
  generated.logits satisfies readonly Tensor[];
  generated.transitionScores satisfies Tensor;
  // @ts-expect-error log-probabilities were not requested
  generated.logProbs;
  (await t5.generate("a", { logProbs: 1 })).logProbs satisfies Tensor;

  for (const { score } of await t5.score("a", ["b"], { reduction: "mean" })) score.toFixed();
  for (const { score } of await t5.score("a", ["b"], { reduction: "none" })) {
    score satisfies undefined;
    // @ts-expect-error the score was not requested
    score.toFixed();
  }
}

export async function unknownOptions(): Promise<void> {
  const result = await t5.forward("a", anyOptions);
  // @ts-expect-error it depends on the options
  result.logits;
  if ("logits" in result) result.logits satisfies Tensor;
  else if ("values" in result) result.values satisfies Tensor;
  else result.headOutput satisfies Tensor;

  for (const { score } of await t5.score("a", ["b"], anyScoreOptions)) score satisfies number | undefined;
}

export type Defaults = [ForwardResult["logits"], GenerateResult<GenerateOptions>["sequences"]];

export async function refused(): Promise<void> {
  // @ts-expect-error an unknown option
  await t5.forward("a", { topk: 1 });
  // @ts-expect-error a number is not an input
  await t5.forward(1);
  // @ts-expect-error floats are not ids
  await t5.forward({ inputIds: { data: Float32Array.of(1), shape: [1, 1] } });
}
