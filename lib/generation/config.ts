// The defaults that a model's generation_config.json gives `generate`.
import { checkId } from "../inputs/ids.js";
import type { GenerationConfig } from "../loading/config.js";
import { T5Error } from "../util/errors.js";
import { snakeCase } from "../util/json.js";
import { checkOptionValues, OPTION_NAMES, optionOf } from "./option-table.js";
import type { GivenOptions } from "./resolve.js";
import { UNSUPPORTED_IN_FILE } from "./unsupported.js";

/** A checked generation_config.json. */
interface GenerationDefaults extends GivenOptions {
  /** The id that the decoder starts with, where the file has one. */
  readonly decoderStartTokenId: number | undefined;
}

/** Returns the defaults, or throws what is wrong with them: a new error for each call. */
export type DefaultsReader = () => GenerationDefaults;

const CONFIG_OPTIONS = OPTION_NAMES.filter((name) => !optionOf(name).isCallOnly);

/**
 * Checks a generation_config.json once. A model whose file is refused still serves `forward`, so the error is kept for
 * the calls that need the file.
 */
export function checkGenerationConfig(config: GenerationConfig, vocabSize: number): DefaultsReader {
  try {
    const defaults = readGenerationConfig(config, vocabSize);
    return () => defaults;
  } catch (thrown) {
    return () => {
      throw thrown instanceof T5Error ? new T5Error(thrown.code, thrown.message) : thrown;
    };
  }
}

/**
 * The options in a generation_config.json. Null counts as absent. Entries that select Hugging Face's outputs are
 * ignored, and so are entries that Hugging Face doesn't know. Throws ERR_MODEL_CORRUPT for a value that an option can't
 * have.
 */
export function readGenerationConfig(config: GenerationConfig, vocabSize: number): GenerationDefaults {
  const given = Object.fromEntries(CONFIG_OPTIONS.map((name) => [name, config[name] ?? undefined]));
  const startId = config.decoderStartTokenId ?? config.bosTokenId ?? undefined;
  return asCorrupt(() => ({
    values: checkOptionValues(given, inFile, vocabSize),
    unsupported: Object.fromEntries(UNSUPPORTED_IN_FILE.map((name) => [name, config[name]])),
    nameOf: inFile,
    decoderStartTokenId: startId === undefined ? undefined : checkId(startId, inFile("decoderStartTokenId"), vocabSize),
  }));
}

/** An option of the file, as messages name it. */
function inFile(name: string): string {
  return `${snakeCase(name)} in generation_config.json`;
}

/** Runs a check of the file's values: a wrong value there is a corrupt model, not a wrong argument. */
function asCorrupt<Result>(check: () => Result): Result {
  try {
    return check();
  } catch (thrown) {
    if (thrown instanceof T5Error) throw new T5Error("ERR_MODEL_CORRUPT", thrown.message);
    throw thrown;
  }
}
