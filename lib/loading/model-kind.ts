// The kind of a model, read without loading it.
import { captureCallSite, errorFor } from "../util/errors.js";
import { readPath } from "../util/validation.js";
import type { ModelKind } from "./architectures.js";
import { readKind } from "./load.js";

/**
 * What the model in a directory computes: an exported one, or one of Hugging Face. That decides the class that loads it.
 * Its files are not verified.
 *
 * Rejects with ERR_INVALID_ARGUMENT, also for a directory that no class loads, ERR_MODEL_NOT_FOUND, ERR_MODEL_CORRUPT.
 */
export async function readModelKind(directory: string | URL): Promise<ModelKind> {
  const site = captureCallSite(readModelKind);
  try {
    const { kind } = await readKind(readPath(directory, "directory"));
    return kind;
  } catch (thrown) {
    throw errorFor(thrown, site);
  }
}
