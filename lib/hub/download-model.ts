// Downloading a model without loading it.
import { captureCallSite, errorFor } from "../util/errors.js";
import { checkOptions, readPath } from "../util/validation.js";
import { locateModel } from "./locate.js";
import { type CheckedHubOptions, checkHubOptions, HUB_OPTIONS, type HubOptions } from "./options.js";
import { selectModel } from "./selection.js";

/**
 * Downloads what the cache lacks of a model on the hub. Resolves to the directory, for `fromPretrained` of any class; to
 * that of a local model as it is.
 *
 * Rejects with the signal's reason, with what `progress` throws, or with ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND,
 * ERR_MODEL_ACCESS_DENIED, ERR_MODEL_CORRUPT or ERR_DOWNLOAD_FAILED.
 */
export async function downloadModel(name: string | URL, options?: HubOptions): Promise<string> {
  const site = captureCallSite(downloadModel);
  let path: string;
  let checked: CheckedHubOptions;
  try {
    path = readPath(name, "name");
    checked = checkHubOptions(checkOptions(options, "options", HUB_OPTIONS));
  } catch (thrown) {
    throw errorFor(thrown, site);
  }
  return locateModel(path, checked, selectModel, site);
}
