// The parameters of `/v1/completions`, as options of torch-t5.
import type { GenerateOptions } from "torch-t5";
import { Type } from "typebox";
import { generationOptions } from "../../calls/generation-options.js";
import { expected } from "../../errors/server-error.js";

const orNull = (type: Type.TSchema) => Type.Optional(Type.Union([type, Type.Null()]));

export const CompletionSchema = Type.Object({
  model: Type.String(),
  prompt: Type.Union([
    Type.String(),
    Type.Array(Type.String(), { minItems: 1 }),
    Type.Array(Type.Integer(), { minItems: 1 }),
    Type.Array(Type.Array(Type.Integer(), { minItems: 1 }), { minItems: 1 }),
  ]),
  max_tokens: orNull(Type.Integer({ minimum: 1 })),
  temperature: orNull(Type.Number({ minimum: 0, maximum: 2 })),
  top_p: orNull(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
  n: orNull(Type.Integer({ minimum: 1 })),
  stop: orNull(Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: 4 })])),
  seed: orNull(Type.Integer()),
  logprobs: orNull(Type.Integer({ minimum: 0, maximum: 20 })),
  stream: orNull(Type.Boolean()),
  stream_options: orNull(Type.Object({ include_usage: Type.Optional(Type.Boolean()) })),
  echo: orNull(Type.Boolean()),
  user: orNull(Type.String()),
});

/** The body; further parameters are options of torch-t5 in snake_case. */
export interface CompletionBody extends Readonly<Record<string, unknown>> {
  readonly model: string;
  readonly prompt: string | readonly string[] | readonly number[] | readonly (readonly number[])[];
  readonly stop?: string | readonly string[] | null;
  readonly logprobs?: number | null;
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
}

/** Parameters that have no meaning in an encoder-decoder model, with the values that change nothing. */
const WITHOUT_EFFECT: Readonly<Record<string, readonly unknown[]>> = {
  echo: [false],
  best_of: [1],
  suffix: [""],
  presence_penalty: [0],
  frequency_penalty: [0],
};

/** What is no option of the generation. */
const OTHERS = new Set(["model", "prompt", "logprobs", "stream", "stream_options", "user", "logit_bias", "stop"]);

/**
 * Options from a body. Sampling needs a temperature over 0, or a parameter of sampling: without one the tokens are the
 * most probable ones. Throws ERR_INVALID_ARGUMENT.
 */
export function optionsOf(body: CompletionBody): GenerateOptions {
  for (const [name, values] of Object.entries(WITHOUT_EFFECT)) {
    const given = body[name];
    if (given !== undefined && given !== null && !values.includes(given)) {
      throw expected(`${JSON.stringify(values[0])}, as this server has no other,`, name, given);
    }
  }
  const { temperature, seed, top_p, top_k, min_p, n, do_sample, ...others } = body;
  const rest = Object.entries(others).filter(([name]) => !OTHERS.has(name) && !Object.hasOwn(WITHOUT_EFFECT, name));
  const isSampling =
    temperature !== 0 &&
    do_sample !== false &&
    [temperature, top_p, top_k, min_p, do_sample].some((value) => value != null);
  const stops = stopsOf(body);
  const sampling = { do_sample: true, temperature, top_p, top_k, min_p, seed };
  return {
    ...generationOptions(
      { ...Object.fromEntries(rest), ...(n !== 1 && { n }), ...(isSampling && sampling) },
      { max_tokens: "maxNewTokens", n: "numReturnSequences" },
    ),
    ...biasOf(body),
    ...(stops.length > 0 && { stopStrings: stops }),
  };
}

/** The stop strings. An empty one is none. */
export function stopsOf({ stop }: CompletionBody): readonly string[] {
  const stops = typeof stop === "string" ? [stop] : (stop ?? []);
  return stops.filter((text) => text !== "");
}

/** `logit_bias`, by token id. */
function biasOf({ logit_bias: bias }: CompletionBody): Pick<GenerateOptions, "sequenceBias"> {
  if (bias === undefined || bias === null) return {};
  if (typeof bias !== "object" || Array.isArray(bias)) throw expected("an object", "logit_bias", bias);
  const entries = Object.entries(bias).map(([id, value]): readonly [readonly number[], number] => {
    if (typeof value !== "number" || !/^\d{1,9}$/.test(id))
      throw expected("numbers by token id", "logit_bias", { [id]: value });
    return [[Number(id)], value];
  });
  return entries.length === 0 ? {} : { sequenceBias: entries };
}
