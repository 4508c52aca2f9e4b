import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { demoModel, runtimeInfo } from "torch-t5";

const folder = fileURLToPath(new URL("../../build/test/native", import.meta.url));
const suffix = process.platform === "win32" ? ".exe" : "";
const HANG_MS = 100_000;
// Built where libtorch has CUDA.
const cudaLibrary = join(
  dirname(runtimeInfo().addonPath),
  process.platform === "win32" ? "torch_t5_cuda.dll" : "torch_t5_cuda.so",
);

// The programs contain the path of libtorch, except on Windows, which searches PATH.
const environment = {
  ...process.env,
  PATH: `${runtimeInfo().libtorch.directory}${delimiter}${process.env.PATH ?? ""}`,
};

function run(program: string, args: readonly string[]) {
  return spawnSync(program, args, { encoding: "utf8", env: environment, timeout: HANG_MS });
}

function describeProgram(name: string, title: string, args: readonly string[] = []) {
  describe(title, () => {
    const program = join(folder, name + suffix);
    const tests = run(program, ["--list"]).stdout.trim().split("\n");
    assert.ok(tests.length > 1, `${program} lists its tests`);
    for (const test of tests) {
      it(test, () => {
        const { status, signal, stderr } = run(program, [test, ...args]);
        assert.deepEqual({ status, signal }, { status: 0, signal: null }, stderr);
      });
    }
  });
}

/** NVRTC, which pip installs next to PyTorch. */
function findNvrtc(): string {
  const nvidia = join(runtimeInfo().libtorch.directory, "../../nvidia");
  const found = readdirSync(nvidia, { recursive: true }).find((name) => /libnvrtc\.so\.\d+$/.test(String(name)));
  assert.ok(found, `${nvidia} contains NVRTC`);
  return join(nvidia, String(found));
}

describeProgram("torchscript_engine_test", "the TorchScript engine, without Node", [join(demoModel, "model.pt")]);
describeProgram("parallel_linear_test", "parallel linear layers");
describeProgram("aten_engine_test", "the ATen engine", [join(demoModel, "model.pt")]);
if (existsSync(cudaLibrary)) describeProgram("cuda_library_test", "the library torch_t5_cuda", [cudaLibrary]);
describeProgram("libtorch_errors_test", "the codes of libtorch's errors");
describeProgram("gemm_kernels_test", "the GEMM kernels");
describeProgram("block_sizes_test", "the block sizes of the fused engine");
describeProgram("row_kernels_test", "the row kernels");
describeProgram("weight_matrix_test", "weights in files");
describeProgram("tensor_memory_test", "the memory that tensors reuse");
describeProgram("attention_kernels_test", "the attention kernels");
// Not built with Visual Studio.
if (process.platform !== "win32") {
  describeProgram("step_kernels_test", "the CUDA kernels of a decoder step, emulated");
  describeProgram("graph_engine_test", "the ATen engine with graphs, emulated");
}
// Every PyTorch for Linux that pip installs by default comes with NVIDIA's compiler, also on a machine without a GPU.
if (process.platform === "linux") {
  describeProgram("step_kernels_nvrtc_test", "the CUDA kernels of a decoder step, compiled by NVRTC", [findNvrtc()]);
}
for (const [name, title] of [
  ["scheduler_test", "the scheduler"],
  ["kernel_cache_test", "the cache of compiled kernels"],
  ["pinned_pool_test", "the pool of pinned memory"],
  ["worker_pool_test", "the worker pool"],
] as const) {
  describeProgram(name, title);
  for (const sanitizer of ["address", "thread", "undefined"]) {
    const sanitized = `${name}_${sanitizer}`;
    // Not built with Visual Studio.
    if (process.platform !== "win32" || existsSync(join(folder, sanitized + suffix))) {
      describeProgram(sanitized, `${title} under the ${sanitizer} sanitizer`);
    }
  }
}
