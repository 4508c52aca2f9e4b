// What torch-t5 found on this machine, and what it brings along.
import { join } from "node:path";
import { loadNative } from "./addon.js";
import { type Libtorch, packageRoot } from "./libtorch.js";

/** What `runtimeInfo` returns. */
export interface RuntimeInfo {
  /** The libtorch that is loaded: its folder, version, and what it was found by. */
  readonly libtorch: Libtorch;
  readonly addonPath: string;
  /** The SIMD instructions that PyTorch's kernels use, for instance "AVX512". */
  readonly cpuCapability: string;
  /** What runs an operator's threads, for instance "OpenMP". */
  readonly parallelBackend: string;
  /** PyTorch's default thread counts on this machine. */
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
  readonly cudaDevices: readonly string[];
}

/** The absolute path of the embedded model. */
export const demoModel: string = join(packageRoot, "models", "demo");

/**
 * Loads libtorch and the addon, if no model did so yet, and tells what was found.
 * Throws ERR_LIBTORCH_NOT_FOUND, ERR_LIBTORCH_VERSION or ERR_INTERNAL with the command that repairs it.
 */
export function runtimeInfo(): RuntimeInfo {
  const { addon, addonPath, libtorch } = loadNative();
  const { cpuCapability, parallelBackend, intraOpThreads, interOpThreads, cudaDevices } = addon.info();
  return { libtorch, addonPath, cpuCapability, parallelBackend, intraOpThreads, interOpThreads, cudaDevices };
}
