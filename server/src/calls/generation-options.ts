// The options of a generation, from the parameters of a request.
import type { GenerateOptions, T5ForConditionalGeneration } from "torch-t5";
import type { Limits } from "../config/schema.js";
import { expected } from "../errors/server-error.js";

/** Hugging Face's number of new tokens where neither the request nor the model states one. */
const DEFAULT_NEW_TOKENS = 20;
/** Options that are no parameters: they select results or are functions. */
const NO_PARAMETERS = new Set(["signal", "logitsProcessor", "returnLogits", "returnScores", "logProbs"]);

/** Parameters with the names of a protocol. */
export type Parameters = Readonly<Record<string, unknown>>;

/**
 * Options from parameters in snake_case, such as `num_beams`. `aliases` has names of a protocol that differ, and those
 * that are left out (undefined). A parameter that is null is not given. The library checks names and values.
 */
export function generationOptions(
  parameters: Parameters,
  aliases: Readonly<Record<string, string | undefined>> = {},
): GenerateOptions {
  const entries: [string, unknown][] = [];
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null || value === undefined) continue;
    const option = Object.hasOwn(aliases, name) ? aliases[name] : camelCase(name);
    if (option === undefined) continue;
    if (NO_PARAMETERS.has(option)) throw expected("a parameter of generation", "the parameters", name);
    entries.push([option, value]);
  }
  return Object.fromEntries(entries) as GenerateOptions;
}

const camelCase = (name: string) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** The options with a bounded length. Throws ERR_LIMIT for more new tokens or rows than the limits allow. */
export function limitedOptions(
  t5: T5ForConditionalGeneration,
  options: GenerateOptions,
  sources: number,
  limits: Limits,
): GenerateOptions {
  const { numBeams, numReturnSequences } = options;
  const perSource = Math.max(asCount(numBeams ?? t5.generationConfig.numBeams), asCount(numReturnSequences));
  if (sources * perSource > limits.rows) {
    const name = "the number of texts times beams or sequences";
    throw expected(`at most ${limits.rows}`, name, sources * perSource, "ERR_LIMIT");
  }
  for (const name of ["maxNewTokens", "maxLength"] as const) {
    const value = options[name];
    if (typeof value === "number" && value > limits.newTokens) {
      throw expected(`at most ${limits.newTokens}`, name, value, "ERR_LIMIT");
    }
  }
  if (options.maxNewTokens !== undefined || options.maxLength !== undefined) return options;
  const { maxNewTokens, maxLength } = t5.generationConfig;
  const own = typeof maxNewTokens === "number" ? maxNewTokens : maxLength;
  return asCount(own, DEFAULT_NEW_TOKENS) > limits.newTokens ? { ...options, maxNewTokens: limits.newTokens } : options;
}

/** A count of the request or of the model's file, which the library checks. */
function asCount(value: unknown, otherwise = 1): number {
  return typeof value === "number" ? value : otherwise;
}
