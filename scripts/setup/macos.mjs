// A compiler for macOS on arm64 that runs on this machine: Zig's package on PyPI contains Clang, and the C and C++ headers
// of macOS.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory } from "./paths.mjs";
import { pipInstall } from "./python.mjs";

const ZIG = "ziglang==0.17.1";

const folder = join(cacheDirectory(), "macos");

export const zig = join(folder, "ziglang", "zig");

export async function installZig(step) {
  rmSync(folder, { recursive: true, force: true });
  await pipInstall(step, ["--no-deps", "--no-compile", "--only-binary=:all:", "--target", folder, ZIG]);
}
