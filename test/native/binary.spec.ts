import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runtimeInfo } from "torch-t5";
import { newerThanOldestLinux, versionsIn } from "./symbol-versions.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The version of the functions of the first glibc for each processor whose binaries use old versions. */
const FIRST_GLIBC: Partial<Record<string, string>> = { x64: "GLIBC_2.2.5", arm64: "GLIBC_2.17" };

describe("the binaries", () => {
  const { addonPath, libtorch } = runtimeInfo();
  const folder = dirname(addonPath);

  /** A name that each binary contains. The last one is built where libtorch has CUDA. */
  const binaries = [
    { name: "torch_t5.node", symbol: "napi_" },
    { name: "torch_t5_preload.node", symbol: "napi_" },
    { name: "torch_t5_cuda.so", symbol: "torch_t5_make_cuda_runtime" },
  ].filter(({ name }) => name.endsWith(".node") || existsSync(join(folder, name)));

  for (const { name, symbol } of binaries) {
    it(`contain no path of the machine that built them: ${name}`, () => {
      const binary = readFileSync(join(folder, name), "latin1");
      assert.ok(binary.includes(symbol), symbol);
      for (const path of [root, libtorch.directory, dirname(libtorch.directory)]) {
        assert.equal(binary.indexOf(path), -1, `found ${path}`);
      }
    });
  }

  // Elsewhere there are no versions of symbols.
  const firstGlibc = FIRST_GLIBC[process.arch];
  if (process.platform === "linux" && firstGlibc !== undefined) {
    for (const { name } of binaries) {
      it(`run on every Linux that libtorch runs on: ${name} needs no newer symbols of glibc and libstdc++`, () => {
        const versions = versionsIn(join(folder, name));
        assert.ok(versions.includes(firstGlibc), versions.join(" "));
        assert.deepEqual(versions.filter(newerThanOldestLinux), []);
      });
    }

    it("are compared with the versions that libtorch itself needs", () => {
      const versions = versionsIn(join(libtorch.directory, "libtorch_cpu.so"));
      assert.ok(versions.includes("GLIBC_2.28"), versions.join(" "));
      assert.deepEqual(["GLIBC_2.29", "GLIBCXX_3.4.26", "CXXABI_1.3.12"].filter(newerThanOldestLinux).length, 3);
    });
  }

  it("keep CUDA out of the addon: it needs none of CUDA's libraries", () => {
    const binary = readFileSync(join(folder, "torch_t5.node"), "latin1");
    assert.match(binary, /torch_cpu/);
    assert.doesNotMatch(binary, /libc10_cuda|libcudart|libnvrtc|libcublas|cuda[A-Z]\w+@|c10_cuda\.dll|cudart64/);
  });

  it("are built with CUDA where libtorch has CUDA and its headers are installed", () => {
    const root = dirname(libtorch.directory);
    const headers = join(dirname(root), "nvidia", "cu13", "include", "crt", "host_defines.h");
    const hasCuda = existsSync(join(libtorch.directory, "libtorch_cuda.so")) && existsSync(headers);
    if (hasCuda) assert.ok(existsSync(join(folder, "torch_t5_cuda.so")));
    assert.match(runtimeInfo().cudaLibrary, hasCuda ? /^(available|loaded)$/ : /./);
  });
});
