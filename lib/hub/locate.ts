// From the first argument of `fromPretrained` to a directory.
import { type CallSite, errorFor } from "../util/errors.js";
import { refused } from "../util/validation.js";
import { throwIfAborted, unlessAborted } from "./aborting.js";
import { isOnHub } from "./name.js";
import type { CheckedHubOptions, DownloadProgress } from "./options.js";
import type { Selection } from "./selection.js";
import { readSettings } from "./settings.js";

/**
 * The directory of a model: the path itself, or the snapshot of a name on the hub, whose missing files are downloaded.
 *
 * Rejects with the signal's reason at once when it aborts, with what `progress` throws, and with T5Errors that have the
 * stack of the call site: ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND, ERR_MODEL_ACCESS_DENIED, ERR_MODEL_CORRUPT,
 * ERR_DOWNLOAD_FAILED.
 */
export async function locateModel(
  path: string,
  options: CheckedHubOptions,
  select: Selection,
  site: CallSite,
): Promise<string> {
  const { signal, revision, progress } = options;
  throwIfAborted(signal);
  let callers: { readonly thrown: unknown } | undefined;
  const report = (event: DownloadProgress) => {
    try {
      progress?.(event);
    } catch (thrown) {
      callers = { thrown };
      throw thrown;
    }
  };
  try {
    if (await isOnHub(path)) {
      // A program that loads local directories never needs this part, nor an HTTP client.
      const { locateSnapshot } = await import("./snapshot.js");
      const located = locateSnapshot(path, { ...options, progress: report }, select, await readSettings());
      return await unlessAborted(signal, located);
    }
    if (revision === undefined) return path;
    throw refused("a name on the hub with options.revision", "directory", JSON.stringify(path));
  } catch (thrown) {
    throwIfAborted(signal);
    if (callers !== undefined) throw callers.thrown;
    throw errorFor(thrown, site);
  }
}
