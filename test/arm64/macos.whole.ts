// The sources that do not include libtorch, compiled for macOS on arm64. Nothing runs what is compiled.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../support/directory.js";
import { runToEnd } from "../support/program.js";
import { emulation } from "./emulator.js";

const native = fileURLToPath(new URL("../../native", import.meta.url));
const headers = ["node-addon-api", "node-api-headers/include"].map((path) =>
  fileURLToPath(new URL(`../../node_modules/${path}`, import.meta.url)),
);
/** Files of core/platform for Linux alone, and with a header of libtorch. */
const OTHERS = ["symbol_versions.cc", "huge_pages.cc"];
const SOURCES = [
  ...sourcesOf("core/platform").filter((path) => !OTHERS.some((name) => path.endsWith(name))),
  ...sourcesOf("fused/kernels"),
  "fused/instruction_set.cc",
  "preload.cc",
];
/** The name of the kernels that a file contains, and a processor that has their instructions. */
const KERNELS: Readonly<Record<string, { readonly name: string; readonly processor: string }>> = {
  "fused/kernels/neon.cc": { name: "NEON", processor: "apple_m1" },
  "fused/kernels/neon_dotprod.cc": { name: "NEON with dot products", processor: "apple_m1" },
  "fused/kernels/neon_matrix.cc": { name: "NEON with BF16 and I8MM", processor: "apple_m2" },
};
const FLAGS = [
  ...["-target", "aarch64-macos", "-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror"],
  // Of cmake/kernels.cmake.
  ...["-ffp-contract=off", "-fno-strict-aliasing"],
  ...["-DNAPI_VERSION=8", '-DTORCH_T5_LIBTORCH_VERSION="0"', "-I", native],
  ...headers.flatMap((path) => ["-isystem", path]),
];

function sourcesOf(folder: string): readonly string[] {
  const names = readdirSync(join(native, folder)).filter((name) => name.endsWith(".cc"));
  return names.sort().map((name) => `${folder}/${name}`);
}

describe("Clang compiles for macOS on arm64", () => {
  for (const source of SOURCES) {
    it(source, () =>
      withDirectory(async (directory) => {
        const kernels = KERNELS[source];
        const object = join(directory, "object.o");
        const processor = `-mcpu=${kernels?.processor ?? "apple_m1"}`;
        const args = ["c++", ...FLAGS, processor, "-c", join(native, source), "-o", object];
        const { code, stderr } = await runToEnd(emulation.macosCompiler, args);
        assert.equal(code, 0, stderr);
        if (kernels) assert.ok(readFileSync(object).includes(`\0${kernels.name}\0`), `the kernels ${kernels.name}`);
      }),
    );
  }
});
