// The parameters of text-generation-inference, as options of torch-t5.
import type { GenerateOptions } from "torch-t5";
import { Type } from "typebox";
import { generationOptions } from "../../calls/generation-options.js";
import { expected } from "../../errors/server-error.js";

const orNull = (type: Type.TSchema) => Type.Optional(Type.Union([type, Type.Null()]));

/** The schema of `parameters`. Further ones are options of torch-t5 in snake_case. */
export const ParametersSchema = Type.Object({
  max_new_tokens: orNull(Type.Integer({ minimum: 1 })),
  do_sample: orNull(Type.Boolean()),
  temperature: orNull(Type.Number({ exclusiveMinimum: 0 })),
  top_k: orNull(Type.Integer({ minimum: 1 })),
  top_p: orNull(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
  typical_p: orNull(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
  repetition_penalty: orNull(Type.Number({ exclusiveMinimum: 0 })),
  seed: orNull(Type.Integer()),
  stop: orNull(Type.Array(Type.String())),
  truncate: orNull(Type.Integer({ minimum: 1 })),
  details: orNull(Type.Boolean()),
  decoder_input_details: orNull(Type.Boolean()),
  top_n_tokens: orNull(Type.Integer({ minimum: 1, maximum: 100 })),
  return_full_text: orNull(Type.Boolean()),
});

export type TgiParameters = Type.Static<typeof ParametersSchema> & Readonly<Record<string, unknown>>;

/** Parameters of results, which are no options of the generation. */
const RESULTS = ["truncate", "details", "decoder_input_details", "top_n_tokens", "return_full_text"] as const;

/** Parameters that change nothing in an encoder-decoder model when they have this value. */
const WITHOUT_EFFECT: Readonly<Record<string, unknown>> = {
  watermark: false,
  best_of: 1,
  return_full_text: false,
  frequency_penalty: 0,
};

/** Each of them means sampling. */
const SAMPLING = ["temperature", "top_k", "top_p", "typical_p"] as const;

/** Options from parameters. As there, a parameter of sampling means sampling. Throws ERR_INVALID_ARGUMENT. */
export function optionsOf(parameters: TgiParameters): GenerateOptions {
  const left = new Set<string>(RESULTS);
  for (const [name, value] of Object.entries(WITHOUT_EFFECT)) {
    const given = parameters[name];
    if (given !== undefined && given !== null && given !== value) {
      throw expected(`${JSON.stringify(value)}, as torch-t5 has no other,`, name, given);
    }
    left.add(name);
  }
  const given = Object.fromEntries(Object.entries(parameters).filter(([name]) => !left.has(name)));
  const { seed, do_sample, stop, ...rest } = given;
  const isSampling = parameters.do_sample === true || SAMPLING.some((name) => isGiven(parameters[name]));
  const hasStop = Array.isArray(stop) && stop.length > 0;
  return generationOptions(
    { ...rest, ...(hasStop && { stop }), ...(isSampling && { do_sample: true, seed }) },
    { stop: "stopStrings" },
  );
}

const isGiven = (value: unknown) => value !== undefined && value !== null;
