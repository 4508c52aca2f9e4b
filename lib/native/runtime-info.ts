// The libtorch that torch-t5 found on this machine, and the model that the package contains.
import { join } from "node:path";
import { loadNative } from "./addon.js";
import { cpuQuota, defaultThreads } from "./cpu-quota.js";
import type { Libtorch } from "./libtorch.js";
import { packageRoot } from "./package-root.js";

/** The loaded libtorch and its hardware. */
export interface RuntimeInfo {
  /** The libtorch that is loaded. */
  readonly libtorch: Libtorch;
  /** The absolute path of the native addon. */
  readonly addonPath: string;
  /** The SIMD instructions that PyTorch's kernels use, for instance "AVX512". */
  readonly cpuCapability: string;
  /**
   * The instruction set of the kernels that compute `"float32"`, `"bfloat16"` and `"int8"` on the CPU, for instance
   * "AVX512 with BF16" or "NEON with BF16 and I8MM".
   */
  readonly kernels: string;
  /** What runs the threads of an operator, for instance "OpenMP". */
  readonly parallelBackend: string;
  /** PyTorch's default number of threads per operator on this machine. */
  readonly intraOpThreads: number;
  /**
   * The CPU time per time that this process's control group allows (a container's CPU limit), for instance 1.5 CPUs;
   * undefined without a quota.
   */
  readonly cpuQuota: number | undefined;
  /**
   * The number of threads per operator that models use by default: `intraOpThreads`, or the whole CPUs in `cpuQuota` if
   * those are fewer and neither OMP_NUM_THREADS nor MKL_NUM_THREADS is set.
   */
  readonly defaultThreads: number;
  /** The number of threads that run operators in parallel. */
  readonly interOpThreads: number;
  /** The names of the CUDA devices that libtorch can use. */
  readonly cudaDevices: readonly string[];
  /**
   * The library beside the addon that models on a CUDA device run faster with: "loaded", "available" before the first
   * such model, or the reason why it is not used. Results are the same without it.
   */
  readonly cudaLibrary: string;
}

/** The absolute path of the embedded model. */
export const demoModel: string = join(packageRoot, "models", "demo");

/**
 * Loads libtorch and the addon unless a model did so before, and describes them. Throws ERR_LIBTORCH_NOT_FOUND,
 * ERR_LIBTORCH_VERSION or ERR_INTERNAL; the message states the command that repairs the installation.
 */
export function runtimeInfo(): RuntimeInfo {
  const { addon, addonPath, libtorch } = loadNative();
  const info = addon.info();
  const { cpuCapability, kernels, parallelBackend, intraOpThreads, interOpThreads, cudaDevices, cudaLibrary } = info;
  const quota = cpuQuota();
  return {
    libtorch,
    addonPath,
    cpuCapability,
    kernels,
    parallelBackend,
    intraOpThreads,
    cpuQuota: quota,
    defaultThreads: defaultThreads(intraOpThreads, quota),
    interOpThreads,
    cudaDevices,
    cudaLibrary,
  };
}
