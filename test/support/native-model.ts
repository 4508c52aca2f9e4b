// A model as native code has it, without the checks of JavaScript.
import { join } from "node:path";
import { loadNative } from "#lib/native/addon.js";
import type { NativeLoadOptions, NativeModel } from "#lib/native/types.js";

/** Loads the archive of an export in "exact" on one thread of the CPU, or as the changes state. */
export async function loadNatively(
  directory: string,
  kind: NativeLoadOptions["kind"],
  changes: Partial<NativeLoadOptions> = {},
): Promise<NativeModel> {
  const { addon, libtorch } = loadNative();
  return addon.load({
    path: join(directory, "model.pt"),
    kind,
    hiddenStatesPath: "",
    attentionsPath: "",
    device: "cpu",
    libtorchDirectory: libtorch.directory,
    intraOpThreads: 1,
    interOpThreads: 0,
    maxQueueLength: 0,
    maxBatchSize: 1,
    maxBatchTokens: 1,
    maxCacheBytes: 1,
    precision: "exact",
    architecture: undefined,
    storedWeights: undefined,
    ...changes,
  });
}
